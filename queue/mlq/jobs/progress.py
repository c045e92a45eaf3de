"""How a job reports its progress: line after line in $MLQ_PROGRESS_FILE.

A line is a number from 0 to 1, or a JSON object with `progress` and any other values that the job
wants to keep (`loss`, `epoch`). Any language can write that with one `echo`; Python jobs call
`report`.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def report(progress: float, **values: Any) -> None:
    """Append one line of progress; outside of a job this does nothing.

    Args:
        progress: from 0 to 1.
        values: any JSON values that belong to this moment.
    """
    path = os.environ.get("MLQ_PROGRESS_FILE")
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"progress": progress, **values}) + "\n")


def latest(tail: bytes) -> str:
    """Return the last complete line's progress as text, or "" if there is none.

    Args:
        tail: the end of a progress file; its first line may be torn.
    """
    for line in reversed(tail.split(b"\n")[:-1]):
        try:
            value = json.loads(line)
            if isinstance(value, Mapping):
                value = value.get("progress")
            if (
                isinstance(value, int | float)
                and not isinstance(value, bool)
                and math.isfinite(value)
            ):
                return repr(float(value))
        except (ValueError, RecursionError, OverflowError):
            # A job may write anything there: no JSON, a thousand brackets, a number of any size.
            continue
    return ""
