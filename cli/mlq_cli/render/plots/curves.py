"""The picture of curves: a metric against steps or time, one line a job or a mean with a band."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mlq.metrics.averaging import TIME, Curve, mean_curve, smoothed, thinned
from mlq.metrics.grouping import grouped
from mlq.metrics.member import Member
from mlq_cli.render.clean import clean
from mlq_cli.render.plots.naming import (
    bar_title,
    coloured_by,
    is_log_bar,
    labels,
    legend_title,
    only_best_named,
    telling,
)
from mlq_cli.render.plots.picture import LEGEND_MOST, Axis, Line, Picture, breaks_of
from mlq_cli.render.words import count

_UNITS_S = {"h": 3600.0, "min": 60.0, "s": 1.0}
_ENOUGH = 2.0  # of a unit, at the end of the axis
_POINTS_MOST, _POINTS_LEAST, _POINTS_DRAWN = 800, 60, 40_000


class Wish(NamedTuple):
    """How a figure is wanted.

    Args:
        metric: its full name; `y_label` says more of it, such as `min of loss`.
        over: parameters over which means are taken.
        log_x, log_y: whether an axis is to be logarithmic.
        smooth: the weight of the values before, 0 to below 1.
        title: above it.
        told: parameters in the order in which they were enqueued.
    """

    metric: str
    over: Sequence[str] = ()
    log_x: bool = False
    log_y: bool = False
    smooth: float = 0.0
    title: str = ""
    told: Sequence[str] = ()


def curves_picture(
    members: Sequence[Member], curves: Mapping[str, Curve], by: str, wish: Wish
) -> Picture:
    """Return the picture of the curves of these jobs.

    Args:
        members: the jobs that have a curve.
        curves: id -> its curve.
        by: `step` or `time`.
        wish: how it is wanted.

    Raises:
        InvalidInputError: `over` names no parameter.
    """
    unit = _unit([x for one in curves.values() for x in one.xs]) if by == TIME else ""
    scale = _UNITS_S.get(unit, 1.0)
    is_whole = by != TIME and all(x == round(x) for one in curves.values() for x in one.xs)
    used = {
        job_id: one._replace(xs=tuple(x / scale for x in one.xs)) for job_id, one in curves.items()
    }
    names = telling(members, wish.told, wish.over)
    if wish.over:
        lines, firsts, note = _means(members, used, wish, names)
    else:
        lines, firsts, note = _each(members, used, wish, names), list(members), ""
    if any(map(breaks_of, lines)):
        note = "; ".join(one for one in (note, "a cross: nan or inf from here") if one)
    spread = "band: one sample standard deviation" if any(one.low for one in lines) else ""
    numbers = coloured_by(firsts, names)
    has_bar = len(lines) > LEGEND_MOST and bool(numbers)
    if numbers and (has_bar or len(names) == 1):
        lines = [
            line._replace(number=numbers[one.id]) for line, one in zip(lines, firsts, strict=True)
        ]
        lines.sort(key=lambda one: one.number or 0.0)
    if not has_bar:
        lines, said = only_best_named(lines, wish.metric)
        note = "; ".join(one for one in (note, said) if one)
    return Picture(
        lines=tuple(lines),
        x=Axis(f"time ({unit})" if by == TIME else by, wish.log_x, is_whole=is_whole),
        y=Axis(clean(wish.metric), wish.log_y),
        title=clean(wish.title),
        legend=bar_title(names) if has_bar else legend_title(names),
        with_points=all(len(one.xs) < 2 for one in lines),
        bar=has_bar,
        bar_is_log=is_log_bar(numbers) if numbers else False,
        note=note,
        spread=spread,
    )


def _unit(seconds: Sequence[float]) -> str:
    longest = max(seconds, default=0.0)
    return next((one for one, s in _UNITS_S.items() if longest >= _ENOUGH * s), "s")


def _each(
    members: Sequence[Member], curves: Mapping[str, Curve], wish: Wish, names: Sequence[str]
) -> list[Line]:
    lines = []
    # More points than there are dots in the figure only make its file large.
    most = max(_POINTS_LEAST, min(_POINTS_MOST, _POINTS_DRAWN // len(members)))
    for one, label in zip(members, labels(members, names), strict=True):
        drawn = thinned(_smooth(curves[one.id], wish.smooth), most)
        ys = drawn.ys
        values = dict(zip(curves[one.id].xs, curves[one.id].ys, strict=True)) if wish.smooth else {}
        behind = tuple(values[x] for x in drawn.xs) if wish.smooth else ()
        lines.append(Line(label if len(members) > 1 else "", drawn.xs, ys, behind=behind))
    return lines


def _means(
    members: Sequence[Member], curves: Mapping[str, Curve], wish: Wish, names: Sequence[str]
) -> tuple[list[Line], list[Member], str]:
    groups = grouped([(one,) for one in members], wish.over)
    firsts = [group[0] for group in groups]
    lines = []
    for group, label in zip(groups, labels(firsts, names), strict=True):
        found = [_smooth(curves[one.id], wish.smooth) for one in group]
        xs, means = mean_curve(found)
        ys = tuple(one.mean for one in means)
        spread = [math.nan if one.deviation is None else one.deviation for one in means]
        low = tuple(y - d for y, d in zip(ys, spread, strict=True))
        high = tuple(y + d for y, d in zip(ys, spread, strict=True))
        lines.append(Line(label if len(groups) > 1 else "", xs, ys, low, high))
    sizes = sorted({len(group) for group in groups})
    runs = f"{sizes[0]} to {sizes[-1]} runs" if len(sizes) > 1 else count(sizes[0], "run")
    return lines, firsts, f"mean of {runs}"


def _smooth(one: Curve, weight: float) -> Curve:
    return one._replace(ys=tuple(smoothed(one.ys, weight))) if weight else one
