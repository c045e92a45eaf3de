"""What a job's progress file says of how far it is, as the worker reads it each beat.

A line is a number from 0 to 1, or a JSON object with `progress`, or with `step` and `total`, and
any metrics (`loss`). Any language can write that with one `echo`; Python jobs call `mlq.report`,
which is `mlq.jobs.standalone.mlq`. The collector reads the metrics; here only the end of the file
counts.
"""

from __future__ import annotations

import json
import math
from typing import Any

from mlq.jobs.standalone.mlq import MOST_LINE

TAIL_BYTES = 2 * MOST_LINE
"""How much of the end of a progress file `latest` needs: it has a whole line of `mlq.report`."""


def latest(tail: bytes) -> str:
    """Return the last complete line's progress as text, or "" if there is none.

    Args:
        tail: the end of a progress file; its first line may be torn.
    """
    for line in reversed(tail.split(b"\n")[:-1]):
        try:
            share = _share(json.loads(line))
        except (ValueError, RecursionError, OverflowError):
            # A job may write anything there: no JSON, a thousand brackets, a number of any size.
            continue
        if share is not None:
            return repr(share)
    return ""


def _share(value: Any) -> float | None:
    """Return the share that a line tells; None if it tells none."""
    if not isinstance(value, dict):
        return _number(value)
    if "progress" in value:
        return _number(value["progress"])
    step, total = _number(value.get("step")), _number(value.get("total"))
    if step is None or total is None or total <= 0:
        return None
    return min(1.0, max(0.0, step / total))


def _number(value: Any) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    return None
