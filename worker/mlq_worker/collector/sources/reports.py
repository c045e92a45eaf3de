"""Reads `progress.jsonl`: what `report()` writes, or the job's own `echo`, a line each.

A line is a share from 0 to 1, or a JSON object with any of `progress`, `step`, `total`, `at` (unix
time) and metrics.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from mlq.metrics.series import Point, number_or_none
from mlq_worker.collector.sources.values import UNTIMED, point_of

_LONGEST_LINE = 1 << 16
_NOT_METRICS = ("progress", "step", "total", "at")


class Reported(NamedTuple):
    """How far a job says that it is.

    Args:
        share: from 0 to 1. step, total: what it counts. None: it did not say.
        at_s: when it said so; None if the line has no time.
    """

    share: float | None = None
    step: float | None = None
    total: float | None = None
    at_s: float | None = None


class Reports(NamedTuple):
    """What some lines of a report say.

    Args:
        points: their metrics.
        first, last: how far the job was, in the first and the last line that told it.
    """

    points: list[Point]
    first: Reported | None
    last: Reported | None


def read_reports(lines: Iterable[bytes]) -> Reports:
    """Return what these lines say; one that is no report is left out."""
    points: list[Point] = []
    first = last = None
    for line in lines:
        raw = _parsed(line)
        if raw is None:
            continue
        found = _reported(raw)
        if found.share is not None or found.step is not None:
            first, last = first or found, found
        point = point_of({name: one for name, one in raw.items() if name not in _NOT_METRICS})
        if point is not None:
            step = point.step if found.step is None else found.step
            points.append(Point(step, UNTIMED if found.at_s is None else found.at_s, point.values))
    return Reports(points, first, last)


def _parsed(line: bytes) -> Mapping[str, Any] | None:
    if not line or len(line) > _LONGEST_LINE:
        return None
    try:
        value = json.loads(line.decode())
    except (ValueError, RecursionError):
        return None
    if isinstance(value, Mapping):
        return value
    return None if number_or_none(value) is None else {"progress": value}


def _reported(raw: Mapping[str, Any]) -> Reported:
    share, step, total, at_s = [_finite(raw.get(name)) for name in _NOT_METRICS]
    if share is None and step is not None and total:
        share = step / total
    if share is not None:
        share = min(1.0, max(0.0, share))
    return Reported(share, step, total, at_s)


def _finite(value: object) -> float | None:
    if value is None:
        return None
    number = number_or_none(value)
    return number if number is not None and math.isfinite(number) else None
