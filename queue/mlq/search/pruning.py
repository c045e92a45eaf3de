"""Which running members of a search are stopped, since others were better at the same step: pure.

Two rules, as Optuna has them, with its default numbers; the tests compare each decision with that
of Optuna's own pruners. Those keep notes in a study while trials report to them, and a search keeps
nothing: here everything follows from the members' curves.

* median: worse than the median of what the finished members had at this step.
* asha (successive halving): at steps 1, 4, 16, ... (times a hundredth of the longest run) only the
  best quarter of all that came so far goes on.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from statistics import median
from typing import NamedTuple

from mlq.metrics.series import Point, curve
from mlq.search.goal import Goal
from mlq.search.history import Outcome
from mlq.search.note import PRUNED

PRUNERS = ("median", "asha")

_STARTUP = 5
_FACTOR = 4
_SHARE = 100


class Measured(NamedTuple):
    """What a member measured at one step.

    Args:
        step: the step.
        value: of the objective; any float.
        at_s: when, unix time.
    """

    step: int
    value: float
    at_s: float


class Run(NamedTuple):
    """A member and its curve.

    Args:
        number: its index in the sweep.
        outcome: how it stands.
        curve: what it measured, in the order of the steps.
    """

    number: int
    outcome: Outcome
    curve: tuple[Measured, ...]


def measured(points: Iterable[Point], metric: str) -> tuple[Measured, ...]:
    """Return the curve of a metric.

    If a point has no step, or a step that is no whole number (0.25 of an epoch), all of them are
    counted instead: members of one search measure at the same pace.
    """
    found = curve(points, metric)
    whole = all(point.step is not None and point.step == int(point.step) for point, _ in found)
    by_step = {
        int(point.step) if whole and point.step is not None else at: Measured(
            int(point.step) if whole and point.step is not None else at, value, point.at_s
        )
        for at, (point, value) in enumerate(found, 1)
    }
    return tuple(by_step[step] for step in sorted(by_step))


def pruned(pruner: str, runs: Sequence[Run], goal: Goal) -> dict[int, str]:
    """Return the numbers of the running members that are to be stopped, each with the reason.

    Args:
        pruner: one of PRUNERS; "" for none.
        runs: all members of the search whose curves are known.
        goal: of the search.
    """
    sign = 1 if goal.minimize else -1
    running = [one for one in runs if one.outcome is Outcome.RUNNING and one.curve]
    if pruner == "median":
        found = _below_median(running, runs, sign)
    elif pruner == "asha":
        found = _outside_quarter(running, runs, sign)
    else:
        found = {}
    return {number: f"{PRUNED}{why}" for number, why in found.items()}


def _below_median(running: Sequence[Run], runs: Sequence[Run], sign: int) -> dict[int, str]:
    complete = [one for one in runs if one.outcome is Outcome.COMPLETE]
    if len(complete) < _STARTUP:
        return {}
    values = [{point.step: point.value for point in one.curve} for one in complete]
    found = {}
    for run in running:
        step = run.curve[-1].step
        theirs = [one[step] for one in values if step in one and not math.isnan(one[step])]
        best = _best([point.value for point in run.curve], sign)
        if best is None:
            found[run.number] = f"step {step}: nan"
        elif theirs and sign * best > sign * median(theirs):
            found[run.number] = f"step {step}: {best:.4g}, median {median(theirs):.4g}"
    return found


def _best(values: Iterable[float], sign: int) -> float | None:
    numbers = [one for one in values if not math.isnan(one)]
    return min(numbers, key=lambda one: sign * one) if numbers else None


def _outside_quarter(running: Sequence[Run], runs: Sequence[Run], sign: int) -> dict[int, str]:
    ends = [one.curve[-1].step for one in runs if one.outcome is Outcome.COMPLETE and one.curve]
    if not ends:
        return {}
    first = max(max(ends) // _SHARE, 1)
    rungs = {one.number: _rungs(one.curve, first) for one in runs}
    found = {}
    for run in running:
        for rung, mine in enumerate(rungs[run.number]):
            why = _why_stopped(mine, _came_before(mine, rung, rungs), sign)
            if why:
                found[run.number] = why
                break
    return found


def _rungs(points: Sequence[Measured], first: int) -> list[Measured]:
    """Return what a member measured when it came to each rung: at steps `first` * 1, 4, 16, ..."""
    found: list[Measured] = []
    at = iter(points)
    point = next(at, None)
    for rung in count():
        while point is not None and point.step < first * _FACTOR**rung:
            point = next(at, None)
        if point is None:
            return found
        found.append(point)
    return found


def _came_before(mine: Measured, rung: int, rungs: Mapping[int, Sequence[Measured]]) -> list[float]:
    """Return what members had at a rung that came to it until then: whoever went on goes on."""
    return [
        one[rung].value for one in rungs.values() if len(one) > rung and one[rung].at_s <= mine.at_s
    ]


def _why_stopped(mine: Measured, values: Sequence[float], sign: int) -> str:
    if math.isnan(mine.value):
        return f"step {mine.step}: nan"
    ranked = sorted((one for one in values if not math.isnan(one)), key=lambda one: sign * one)
    last = ranked[max(len(ranked) // _FACTOR, 1) - 1]
    if sign * mine.value <= sign * last:
        return ""
    return f"step {mine.step}: {mine.value:.4g}, best quarter {last:.4g}"
