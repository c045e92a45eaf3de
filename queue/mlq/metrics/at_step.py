"""The values of all metrics at one step: where one of them was best.

The metrics of a job are rarely measured at the very same steps: the training loss at each batch,
the validation loss at each epoch. So each metric's newest value up to that step is taken.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from mlq.metrics.series import Point


class AtStep(NamedTuple):
    """The values at a step; `step` is None if the job told none."""

    step: float | None
    values: dict[str, float]


def best_point(points: Sequence[Point], metric: str, form: str) -> Point | None:
    """Return the first point at which a metric was least (`min`), largest (`max`) or last (`last`).

    NaN is neither. None if there is no such point.
    """
    found = [one for one in points if metric in one.values and not math.isnan(one.values[metric])]
    if not found:
        return None
    if form == "last":
        return found[-1]
    choose = max if form == "max" else min
    return choose(found, key=lambda one: one.values[metric])


def at_best(points: Sequence[Point], metric: str, form: str) -> AtStep | None:
    """Return the values of all metrics at the step at which one of them was least or largest.

    Args:
        points: of the job, in order (`mlq.metrics.series.merged`).
        metric: its full name.
        form: `min`, `max` or `last`.
    """
    best = best_point(points, metric, form)
    if best is None:
        return None
    values: dict[str, float] = {}
    earlier = [one for one in points if _is_up_to(one, best)]
    for one in sorted(earlier, key=lambda one: -math.inf if one.step is None else one.step):
        values |= one.values
    return AtStep(best.step, values | best.values)


def _is_up_to(point: Point, best: Point) -> bool:
    if point.step is None or best.step is None:
        return point.at_s <= best.at_s
    return point.step <= best.step
