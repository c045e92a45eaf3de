"""What a figure shows, before any library draws it. Pure.

`curves.py` and `against.py` beside it make pictures of jobs; `figure.py` draws them by matplotlib,
`in_terminal.py` by plotext. Every text in a picture is clean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

LEGEND_MOST = 12
"""With more lines than this a legend is longer than the figure."""
NAMED_MOST = 10


class Line(NamedTuple):
    """One line, or the points of one series.

    Args:
        label: what the legend calls it; "" if it is not to be named.
        xs, ys: its points; a value that is not finite breaks it.
        low, high: the ends of a band or of error bars, one a point; empty for none. NaN at a point
            without.
        behind: the values before smoothing, drawn faintly; empty if they are the same.
        number: the value of the parameter that gives its colour; None without a colour bar.
        is_faint: whether it is only there for comparison.
        hollow: which points are of jobs that have not finished; empty if all are of finished ones.
    """

    label: str
    xs: tuple[float, ...]
    ys: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    behind: tuple[float, ...] = ()
    number: float | None = None
    is_faint: bool = False
    hollow: tuple[bool, ...] = ()


class Axis(NamedTuple):
    """An axis.

    Args:
        label: with its unit, if it has one.
        is_log: whether it is logarithmic.
        is_whole: whether only whole numbers lie on it.
        names: what stands at 0, 1, 2, ... on an axis without numbers; empty if it has numbers.
        ticks: where ticks stand; empty: where the library thinks.
    """

    label: str
    is_log: bool = False
    is_whole: bool = False
    names: tuple[str, ...] = ()
    ticks: tuple[tuple[float, str], ...] = ()


class Picture(NamedTuple):
    """A figure.

    Args:
        lines: what is drawn, in the order of the legend.
        x, y: the axes.
        title: above it; "" for none.
        legend: the title of the legend or of the colour bar.
        with_lines: whether points are joined; `with_points`: whether they are marked.
        bar: whether colours stand for the lines' `number`, shown by a bar instead of a legend.
        bar_is_log: whether that is on a logarithmic scale.
        note: below it; "" for none.
        spread: what bands or error bars are; "" if there are none.
    """

    lines: tuple[Line, ...]
    x: Axis
    y: Axis
    title: str = ""
    legend: str = ""
    with_lines: bool = True
    with_points: bool = False
    bar: bool = False
    bar_is_log: bool = False
    note: str = ""
    spread: str = ""


_LARGEST = 1e100  # beyond it, the libraries' own arithmetic overflows


def is_drawn(value: float) -> bool:
    """Return whether a value has a place in a figure: it is finite, and not absurdly large."""
    return abs(value) < _LARGEST  # false of NaN


def spans_decades(values: Sequence[float]) -> bool:
    """Return whether a logarithmic scale suits values: all positive, over two decades or more."""
    known = [one for one in values if math.isfinite(one)]
    return bool(known) and min(known) > 0 and max(known) / min(known) >= 99.999


def breaks_of(line: Line) -> list[tuple[float, float]]:
    """Return the last finite points of a line before each stretch that is not finite."""
    pairs = pairwise(zip(line.xs, line.ys, strict=True))
    return [one for one, after in pairs if is_drawn(one[1]) and not is_drawn(after[1])]


def alone(line: Line) -> list[tuple[float, float]]:
    """Return the finite points of a line that have no finite neighbour: no stroke reaches them."""
    seen = [False, *map(is_drawn, line.ys), False]
    points = zip(line.xs, line.ys, strict=True)
    return [
        one
        for at, one in enumerate(points, 1)
        if seen[at] and not seen[at - 1] and not seen[at + 1]
    ]


def shown_ys(lines: Sequence[Line]) -> list[float]:
    """Return all finite values."""
    return [y for one in lines for y in one.ys if is_drawn(y)]
