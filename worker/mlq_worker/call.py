"""Calls the Python function of a job: `python -m mlq_worker.call`, run by the supervisor.

The function and its arguments come as JSON from the job's own file, never as a pickle; what it
returns is left as JSON in the attempt's folder, where the worker finds it.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlq.errors import InvalidInputError, MlqError
from mlq.layout import write_atomically


def main() -> int:
    """Call the function; its exception's traceback goes to the log and makes the job fail."""
    spec = json.loads(Path(os.environ["MLQ_JOB_FILE"]).read_text(encoding="utf-8"))["spec"]
    call = spec["function"]
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - as `python -m` and rq's worker do
    value = resolve(call["name"])(*call["args"], **call["kwargs"])
    try:
        text = json.dumps(value)
    except TypeError as error:
        raise InvalidInputError(
            f"{call['name']} returned something that is not JSON", why=str(error)
        ) from None
    write_atomically(Path(os.environ["MLQ_RETURN_FILE"]), text.encode())
    return 0


def resolve(name: str) -> Callable[..., object]:
    """Return the callable of this dotted name, as rq writes it: `package.module.function`.

    Raises:
        InvalidInputError: there is no such callable.
    """
    module, _, attribute = name.rpartition(".")
    try:
        found: Any = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise InvalidInputError(f"no function {name}", why=str(error)) from None
    if not callable(found):
        raise InvalidInputError(f"{name} is not a function")
    function: Callable[..., object] = found
    return function


if __name__ == "__main__":
    try:
        sys.exit(main())
    except MlqError as error:
        sys.exit(f"mlq: {error}")
