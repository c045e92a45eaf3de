"""Curves: a metric against steps or time, smoothed, thinned, and several as their mean. Pure.

Values that are not finite stay in a curve, so that whoever draws it can show where it broke off;
they are in no mean.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from mlq.metrics.grouping import Mean, mean_of
from mlq.metrics.series import Point, curve, merged

STEP, TIME = "step", "time"
_GRID = 400
_LARGEST_STEP = 1e100  # what is beyond it has no place in a figure


class Curve(NamedTuple):
    """The values of a metric; `xs` never runs backwards."""

    xs: tuple[float, ...]
    ys: tuple[float, ...]


def while_running(attempts: Sequence[Sequence[Point]], started_s: float | None) -> list[Point]:
    """Return the points of a job, their times as seconds for which it had run.

    The time between attempts, in which it waited for a machine, does not count. When the last
    attempt began is known; of an earlier one the first point is taken for its beginning.

    Args:
        attempts: the points of each attempt, the first attempt first.
        started_s: when the last attempt began, unix time; None if unknown.
    """
    kept: list[list[Point]] = []
    for number, points in enumerate(attempts):
        if not points:
            continue
        is_last = number == len(attempts) - 1
        first_s = points[0].at_s
        began_s = started_s if is_last and started_s is not None else first_s
        began_s = min(began_s, first_s)
        before = merged([*kept, points])
        earlier = before[: len(before) - len(points)]
        base_s = max((one.at_s for one in earlier), default=0.0)
        kept = [earlier, [one._replace(at_s=base_s + one.at_s - began_s) for one in points]]
    return [one for points in kept for one in points]


def curve_of(points: Sequence[Point], metric: str, by: str) -> Curve:
    """Return the curve of a metric.

    Args:
        points: of a job, in order.
        metric: its full name.
        by: `step` or `time`. If no point of the metric has a step, they are numbered from 1.
    """
    found = curve(points, metric)
    if by == TIME:
        pairs = [(one.at_s, value) for one, value in found]
    else:
        pairs = [
            (one.step, value)
            for one, value in found
            if one.step is not None and abs(one.step) < _LARGEST_STEP
        ]
        pairs = pairs or [(at + 1.0, value) for at, (_, value) in enumerate(found)]
    # The last of several values at one place counts, as in a log that was written again.
    latest = dict(pairs)
    xs = sorted(latest)
    return Curve(tuple(xs), tuple(latest[x] for x in xs))


def smoothed(values: Sequence[float], weight: float) -> list[float]:
    """Return exponential means, without the bias towards the first value; NaN and inf stay.

    Args:
        values: in order.
        weight: of the values before, from 0 (changes nothing) to below 1.

    As TensorBoard does it: divided by the sum of the weights so far (Kingma and Ba, 2015).
    """
    total, norm, found = 0.0, 0.0, []
    for value in values:
        if math.isfinite(value):
            total = weight * total + (1 - weight) * value
            norm = weight * norm + (1 - weight)
            found.append(total / norm)
        else:
            found.append(value)
    return found


def thinned(one: Curve, most: int) -> Curve:
    """Return the curve with at most about so many points: of each stretch the least and largest.

    What is not finite is kept by its first point in a stretch.
    """
    count = len(one.xs)
    if count <= most:
        return one
    size = math.ceil(count / (most / 2))
    kept: list[int] = []
    for start in range(0, count, size):
        stretch = range(start, min(start + size, count))
        finite = [at for at in stretch if math.isfinite(one.ys[at])]
        broken = next((at for at in stretch if not math.isfinite(one.ys[at])), None)
        chosen = (
            {min(finite, key=one.ys.__getitem__), max(finite, key=one.ys.__getitem__)}
            if (finite)
            else set()
        )
        if broken is not None:
            chosen.add(broken)
        kept += sorted(chosen)
    kept = sorted({0, *kept, count - 1})
    return Curve(tuple(one.xs[at] for at in kept), tuple(one.ys[at] for at in kept))


def mean_curve(curves: Sequence[Curve]) -> tuple[tuple[float, ...], list[Mean]]:
    """Return the mean of several curves, and where.

    At a place between two of its points a curve has the value on the line between them; before its
    first point and behind its last it has none. So curves whose points lie at the same places are
    not changed, and a run that is still short is left out where it has not been yet.
    """
    places = sorted({x for one in curves for x in one.xs})
    if len(places) > _GRID:
        first, last = places[0], places[-1]
        shared = set.intersection(*(set(one.xs) for one in curves)) if curves else set()
        stride = math.ceil(max(len(shared), 1) / _GRID)
        places = (
            sorted(shared)[::stride]
            if len(shared) > _GRID // 4
            else [first + (last - first) * at / (_GRID - 1) for at in range(_GRID)]
        )
    means = []
    for x in places:
        values = [value for one in curves if (value := _value_at(one, x)) is not None]
        means.append(mean_of(values, len(curves)))
    kept = [at for at, one in enumerate(means) if one.counted]
    return tuple(places[at] for at in kept), [means[at] for at in kept]


def _value_at(one: Curve, x: float) -> float | None:
    at = bisect_left(one.xs, x)
    if at < len(one.xs) and one.xs[at] == x:
        value = one.ys[at]
        return value if math.isfinite(value) else None
    if not 0 < at < len(one.xs):
        return None
    (x0, x1), (y0, y1) = one.xs[at - 1 : at + 1], one.ys[at - 1 : at + 1]
    if not (math.isfinite(y0) and math.isfinite(y1)):
        return None
    return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
