"""Makes a point of what a program wrote as names with values: a JSON object, a dict, a row.

Programs write numbers as numbers or as texts, nest what belongs together, and put beside it what
is no metric: a time, a level, a line number. What counts as a metric is decided here, once for all
sources.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import lru_cache

from mlq.metrics.series import Point, is_metric_name, number_or_none

UNTIMED = math.nan
"""The time of a point whose source tells none; `reading` gives it one."""

# In this order: the first that is there is the step, none of them is a metric.
STEP_NAMES = ("step", "global_step", "_step", "iteration", "iter", "epoch")
_TIME_NAMES = ("at", "timestamp", "_timestamp", "ts", "created", "time")
_NO_METRICS = frozenset(
    ("level", "levelno", "line", "lineno", "pid", "process", "thread", "msecs", "relativecreated")
)
# What a name at the outermost level means, if it is no rank among STEP_NAMES.
_METRIC, _TIME, _NOTHING = -1, -2, -3
# A time is told from a duration by its size: 2001 to 2286, in seconds since 1970.
_LEAST_TIME_S, _LARGEST_TIME_S = 1e9, 1e10
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", re.ASCII)
_LONGEST_NUMBER = 40
_DEPTH = 3
_MOST_VALUES = 200


def number_of(value: object) -> float | None:
    """Return a number, or the number that a text holds; None if it is neither."""
    if type(value) is float:
        return value
    if not isinstance(value, str):
        return number_or_none(value)
    text = value.strip()[: _LONGEST_NUMBER + 1]
    if len(text) > _LONGEST_NUMBER:
        return None
    return float(text) if _NUMBER.fullmatch(text) else number_or_none(text)


def point_of(raw: Mapping[str, object]) -> Point | None:
    """Return the metrics among these values; None if there are none.

    What is nested is named `train/loss`. The step and the time are taken from the outermost level.
    """
    values: dict[str, float] = {}
    step, rank, at_s = None, len(STEP_NAMES), UNTIMED
    for name, value in raw.items():
        role = _role(name) if isinstance(name, str) else _NOTHING
        number = None if role == _NOTHING else number_of(value)
        if role == _METRIC or (role == _TIME and name.lower() == "time" and not _is_time(number)):
            if number is not None:
                values[name] = number
            elif isinstance(value, Mapping):
                _add_nested(values, value, f"{name}/", _DEPTH - 1)
            if len(values) >= _MOST_VALUES:
                break
        elif role == _TIME:
            at_s = number if number is not None and _is_time(number) else at_s
        elif 0 <= role < rank and number is not None and math.isfinite(number):
            step, rank = number, role
    return Point(step, at_s, values) if values else None


@lru_cache(maxsize=4096)
def _role(name: str) -> int:
    lower = name.lower()
    if lower in STEP_NAMES:
        return STEP_NAMES.index(lower)
    if lower in _TIME_NAMES:
        return _TIME
    is_other = lower.startswith("_") or lower in _NO_METRICS or not _is_name(name)
    return _NOTHING if is_other else _METRIC


_is_name = lru_cache(maxsize=4096)(is_metric_name)


def _is_time(number: float | None) -> bool:
    return number is not None and _LEAST_TIME_S < number < _LARGEST_TIME_S


def _add_nested(
    values: dict[str, float], raw: Mapping[str, object], prefix: str, depth: int
) -> None:
    if "_type" in raw:  # wandb's pictures and files
        return
    for name, value in raw.items():
        full, number = f"{prefix}{name}", number_of(value)
        if len(values) >= _MOST_VALUES:
            return
        if number is not None and _is_name(full):
            values[full] = number
        elif depth > 1 and isinstance(value, Mapping):
            _add_nested(values, value, f"{full}/", depth - 1)
