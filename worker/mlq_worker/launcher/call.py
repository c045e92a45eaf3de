"""Calls the Python function of a job: `python -m mlq_worker.launcher.call`, run by the supervisor.

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

from mlq.errors import InvalidInputError, MlqError, StorageError
from mlq.files.layout import write_atomically
from mlq.files.strict_files import JOB_BYTES, RETURN_BYTES, Content, Refused, Unreadable, read_file
from mlq.files.strict_json import VALUE_DEPTH, parse_pythons


def main() -> int:
    """Call the function; its exception's traceback goes to the log and makes the job fail."""
    call = _function(Path(os.environ["MLQ_JOB_FILE"]))
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - as `python -m` and rq's worker do
    value = resolve(call["name"])(*call["args"], **call["kwargs"])
    write_atomically(Path(os.environ["MLQ_RETURN_FILE"]), _as_json(call["name"], value))
    return 0


def _function(job_file: Path) -> dict[str, Any]:
    found = read_file(job_file.parent, job_file, JOB_BYTES)
    why = "there is none"
    if isinstance(found, Unreadable | Refused):
        why = f"it {found.why}"
    elif isinstance(found, Content):
        try:
            call = parse_pythons(found.data)["spec"]["function"]
            # The signed text leaves defaults out.
            return {
                "name": call["name"],
                "args": call.get("args", ()),
                "kwargs": call.get("kwargs", {}),
            }
        except (ValueError, KeyError, TypeError, AttributeError):
            why = "it names no function"
    raise StorageError(f"{job_file} cannot be used", why=why)


def _as_json(name: str, value: object) -> bytes:
    """Return what a function returned, as its worker will read it.

    Raises:
        InvalidInputError: it cannot be brought to the queue.
    """
    try:
        data = json.dumps(value).encode()
    except RecursionError:
        raise _refused(name, f"it is nested more than {VALUE_DEPTH} deep") from None
    except (TypeError, ValueError) as error:
        raise InvalidInputError(
            f"{name} returned something that is not JSON", why=str(error)
        ) from None
    if len(data) > RETURN_BYTES:
        raise _refused(name, f"it is larger than {RETURN_BYTES} bytes")
    try:
        parse_pythons(data)
    except ValueError as error:
        raise _refused(name, f"it {error}") from None
    return data


def _refused(name: str, why: str) -> InvalidInputError:
    return InvalidInputError(
        f"{name} returned something that the queue does not take",
        why=why,
        fix="return less, and write the rest into $MLQ_OUTPUT_DIR",
    )


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
