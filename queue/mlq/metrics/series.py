"""Metrics step by step: the points that one attempt reported, and those of a job together.

The worker's collector reads them from many kinds of files and appends them to one, the attempt's
`metrics.jsonl`, a line for each point: `{"step": 3, "at": 17.5, "values": {"loss": 0.25}}`. So
plots and tables read one format. Infinite values and those that are no number are written as the
texts `nan`, `inf` and `-inf`, which JSON has no numbers for.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

MOST_METRICS = 100
"""How many metrics a job may have; those that appear later are left out."""

LONGEST_NAME = 100

_WORDS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


class Point(NamedTuple):
    """What was measured at one moment.

    Args:
        step: the step, epoch or whatever else the job counts; None if it told none.
        at_s: when, unix time.
        values: metric -> value; any float.
    """

    step: float | None
    at_s: float
    values: dict[str, float]


def is_metric_name(name: object) -> bool:
    """Return whether a metric may be called this: short, and every character can be shown."""
    return isinstance(name, str) and 0 < len(name) <= LONGEST_NAME and name.isprintable()


def number_or_none(value: object) -> float | None:
    """Return a JSON value as a number; None if it is none.

    The texts of what JSON has no numbers for are numbers; `true` is none.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        try:
            return float(value)
        except OverflowError:
            return None
    return _WORDS.get(value.lower()) if isinstance(value, str) else None


def as_json(value: float) -> float | str:
    """Return a number as JSON can hold it."""
    if math.isnan(value):
        return "nan"
    return value if math.isfinite(value) else ("inf" if value > 0 else "-inf")


def line_of(point: Point) -> bytes:
    """Return a point as a line of `metrics.jsonl`, with its end."""
    values = {name: as_json(value) for name, value in point.values.items()}
    raw: dict[str, Any] = {"at": round(point.at_s, 3), "values": values}
    if point.step is not None:
        raw = {"step": point.step, **raw}
    return json.dumps(raw, separators=(",", ":")).encode() + b"\n"


def points_of(data: bytes) -> Iterator[Point]:
    """Yield the points of a `metrics.jsonl`; a line that is none, torn or foreign, is left out."""
    for line in data.split(b"\n"):
        point = _point(line) if line else None
        if point is not None:
            yield point


def _point(line: bytes) -> Point | None:
    try:
        raw = json.loads(line)
        step, at_s, found = raw.get("step"), number_or_none(raw["at"]), raw["values"].items()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    values = {
        name: value
        for name, one in found
        if is_metric_name(name) and (value := number_or_none(one)) is not None
    }
    step = number_or_none(step)
    if at_s is None or not math.isfinite(at_s) or (step is not None and not math.isfinite(step)):
        return None
    return Point(step, at_s, values) if values else None


def merged(attempts: Iterable[Sequence[Point]]) -> list[Point]:
    """Return the points of a job: what a later attempt did again replaces what was before.

    An attempt that goes on from a checkpoint at step 50 repeats the steps that an earlier one made
    after it. So what earlier attempts measured from its first step on is left out, of each metric
    by itself: one source counts epochs, another batches.

    Args:
        attempts: the points of each attempt, the first attempt first.
    """
    found: list[Point] = []
    for points in attempts:
        found = before_steps(found, first_steps(points))
        found += points
    return found


def first_steps(points: Iterable[Point]) -> dict[str, float]:
    """Return the least step of each metric that has one."""
    first: dict[str, float] = {}
    for point in points:
        if point.step is not None:
            for name in point.values:
                if name not in first or point.step < first[name]:
                    first[name] = point.step
    return first


def before_steps(points: Sequence[Point], first: Mapping[str, float]) -> list[Point]:
    """Return what was measured before the first steps of these metrics, and all others.

    What has no step comes before every step but `-inf`.
    """
    if not first:
        return list(points)
    found = []
    for point in points:
        step, values = -math.inf if point.step is None else point.step, point.values
        if any(name in first and step >= first[name] for name in values):
            kept = {name: values[name] for name in values if step < first.get(name, math.inf)}
            if kept:
                found.append(point._replace(values=kept))
        else:
            found.append(point)
    return found


def curve(points: Iterable[Point], metric: str) -> list[tuple[Point, float]]:
    """Return the points that have a metric, each with its value, in order."""
    return [(one, one.values[metric]) for one in points if metric in one.values]


def names_of(points: Iterable[Point]) -> list[str]:
    """Return the metrics that appear, in the order of their appearance."""
    names: Mapping[str, None] = {name: None for one in points for name in one.values}
    return list(names)
