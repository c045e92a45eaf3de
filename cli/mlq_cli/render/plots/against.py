"""The picture of a metric against a parameter: a point for each job, or means with error bars."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from mlq.metrics.columns import Column, Group, value_of, value_of_group
from mlq.metrics.grouping import Mean
from mlq.metrics.member import Member, numbers_of
from mlq.metrics.table import Table
from mlq_cli.render.clean import clean
from mlq_cli.render.plots.curves import Wish
from mlq_cli.render.plots.naming import CHANCE, labels, legend_title, only_best_named, telling
from mlq_cli.render.plots.picture import Axis, Line, Picture, is_drawn, spans_decades

_TICKS_MOST, _TICK_LETTERS_MOST = 12, 50
_TICK_GAP = 0.06  # of the axis; ticks that stand closer would run into each other
_BESIDE, _BESIDE_MOST = 0.1, 0.5  # how far series stand from each other on an axis of names


class Spot:
    """One point before it is drawn."""

    def __init__(self, group: Group, text: str, value: float, deviation: float | None) -> None:
        self.first, self.text = group[0], text
        self.y, self.deviation = value, deviation
        self.hollow = any(one.state != "finished" for one in group)


def against_picture(table: Table, param: str, column: Column, wish: Wish) -> Picture:
    """Return the picture of a metric against a parameter.

    Args:
        table: of the jobs, with means or without.
        param: the parameter.
        column: of the metric.
        wish: how it is wanted.
    """
    spots = [one for group in table.groups if (one := _spot(table, group, param, column))]
    numbers = numbers_of(one.text for one in spots)
    texts = list(dict.fromkeys(one.text for one in spots))
    if numbers:
        texts.sort(key=lambda one: numbers[one])
    places = numbers or {text: at for at, text in enumerate(texts)}
    firsts = [one.first for one in spots]
    names = telling(firsts, wish.told, (param, *wish.over, *CHANCE))
    series = _series(spots, names)
    lines = [
        _line(label, some, [float(places[one.text]) for one in some])
        for label, some in series.items()
    ]
    if not numbers:
        lines = _beside(lines)
    xs = [float(one) for one in places.values()] if numbers else []
    repeats = any(len(set(one.xs)) < len(one.xs) for one in lines)
    is_log = bool(numbers) and (wish.log_x or spans_decades(xs))
    names_there = tuple(map(clean, texts))
    named, note = only_best_named(lines, column.name)
    ticks = _ticks(numbers, is_log=is_log)
    hollow = any(one.hollow for one in spots)
    means = f"mean over {clean(', '.join(wish.over))}"
    notes = [means if wish.over else "", "hollow: not finished" if hollow else "", note]
    return Picture(
        lines=tuple(named),
        x=Axis(clean(param), is_log, names=() if numbers else names_there, ticks=ticks),
        y=Axis(clean(column.title), wish.log_y),
        title=clean(wish.title),
        legend=legend_title(names),
        with_lines=bool(numbers) and not repeats,
        with_points=True,
        note="; ".join(one for one in notes if one),
        spread="bars: one sample standard deviation" if any(one.low for one in lines) else "",
    )


def _ticks(numbers: Mapping[str, float], *, is_log: bool) -> tuple[tuple[float, str], ...]:
    """Return ticks at the very values, as they were typed; none if they would not fit."""
    if len(numbers) > _TICKS_MOST or sum(map(len, numbers)) > _TICK_LETTERS_MOST:
        return ()
    if is_log and min(numbers.values()) <= 0:
        return ()
    ticks = sorted((float(value), clean(text)) for text, value in numbers.items())
    places = [math.log(value) if is_log else value for value, _ in ticks]
    least = min((after - before for before, after in pairwise(places)), default=math.inf)
    if places and least < _TICK_GAP * (places[-1] - places[0]):
        return ()
    return tuple(ticks)


def _spot(table: Table, group: Group, param: str, column: Column) -> Spot | None:
    text = group[0].params.get(param)
    value = (
        value_of_group(group, column, table.counting) if table.over else value_of(group[0], column)
    )
    if isinstance(value, Mean):
        if text is None or not value.counted or not is_drawn(value.mean):
            return None
        counting = [one for one in group if one.state in table.counting]
        return Spot(counting, text, value.mean, value.deviation)
    if text is None or not isinstance(value, int | float) or not is_drawn(value):
        return None
    return Spot(group, text, float(value), None)


def _beside(lines: Sequence[Line]) -> list[Line]:
    """Return series moved apart a little, so that their points at one name can be seen."""
    step = min(_BESIDE, _BESIDE_MOST / len(lines)) if lines else 0.0
    shifts = [step * (at - (len(lines) - 1) / 2) for at in range(len(lines))]
    return [
        one._replace(xs=tuple(x + shift for x in one.xs))
        for one, shift in zip(lines, shifts, strict=True)
    ]


def _series(spots: Sequence[Spot], names: Sequence[str]) -> dict[str, list[Spot]]:
    """Return the points of each line: those whose other parameters are equal."""
    found: dict[tuple[str | None, ...], list[Spot]] = {}
    for one in spots:
        found.setdefault(tuple(one.first.params.get(name) for name in names), []).append(one)
    firsts: list[Member] = [some[0].first for some in found.values()]
    called = labels(firsts, names) if len(found) > 1 else [""]
    return dict(zip(called, found.values(), strict=True)) if found else {}


def _line(label: str, spots: Sequence[Spot], xs: Sequence[float]) -> Line:
    pairs = sorted(zip(xs, spots, strict=True), key=lambda pair: pair[0])
    ys = tuple(one.y for _, one in pairs)
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    if any(one.deviation is not None for one in spots):
        spread = [math.nan if one.deviation is None else one.deviation for _, one in pairs]
        low = tuple(y - d for y, d in zip(ys, spread, strict=True))
        high = tuple(y + d for y, d in zip(ys, spread, strict=True))
    hollow = tuple(one.hollow for _, one in pairs)
    return Line(
        label, tuple(x for x, _ in pairs), ys, low, high, hollow=hollow if any(hollow) else ()
    )
