"""Draws a picture in a terminal, by plotext: with colours or without, at any width.

The legend stands below: within a figure of so few characters it would hide the curves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from mlq.errors import MlqError
from mlq.metrics.averaging import Curve, thinned
from mlq_cli.render.plots.picture import Axis, Line, Picture, breaks_of, is_drawn
from mlq_cli.render.plots.ticks import nice_ticks
from mlq_cli.render.rows import Rows
from mlq_cli.render.table import columns_of, shorten

_WIDTH, _WIDEST, _HEIGHT, _NARROWEST = 80, 140, 22, 30
_COLOURS = ("blue+", "orange", "green", "red", "cyan", "magenta", "gray+", "white")
_SHADES = (18, 25, 31, 36, 71, 148)  # of the 256 colours, from dark to light as viridis
# Without colours only the marks tell lines apart.
_MARKS = ("*", "o", "x", "+", "#", "@", "%", "=")
_NAMED_MOST = 12
_POINTS_LEAST, _POINTS_DRAWN = 20, 20_000
_GAP = "   "


class Pen(NamedTuple):
    """How a line is drawn: `colour` as plotext takes it, None for none."""

    label: str
    mark: str
    colour: str | int | None


def in_terminal(picture: Picture, width: int | None, *, colour: bool, unicode: bool) -> str:
    """Return the picture as text, a line each ending in a line feed.

    Args:
        picture: what it shows.
        width: columns of the terminal; None: 80.
        colour: whether it may have colours.
        unicode: whether the terminal can show more than ASCII.

    Raises:
        MlqError: there is no plotext.
    """
    try:
        import plotext
    except ImportError:
        raise MlqError(
            "there is no plotext in mlq's Python, which draws in a terminal",
            fix="pip install 'mlq-lab[plot]', in the environment of mlq; or a file: -o fig.png",
        ) from None
    columns = max(_NARROWEST, min(width or _WIDTH, _WIDEST))
    plotext.clear_figure()
    plotext.limit_size(False, False)
    plotext.plotsize(columns, _HEIGHT)
    plotext.theme("clear")
    pens = _pens(picture, colour=colour)
    tells_apart = colour or len({one.mark for one in pens}) == 1
    most = max(_POINTS_LEAST, min(4 * columns, _POINTS_DRAWN // max(1, len(picture.lines))))
    for line, pen in zip(picture.lines, pens, strict=True):
        drawn = thinned(Curve(line.xs, line.ys), most)
        shown_line = line._replace(xs=drawn.xs, ys=drawn.ys)
        _draw(plotext, picture, shown_line, pen, dense=unicode and tells_apart)
    xs = [x for one in picture.lines for x in one.xs]
    ys = [y for one in picture.lines for y in one.ys if is_drawn(y)]
    _scale(picture.x, xs, columns // 12, plotext.xscale, plotext.xticks)
    _scale(picture.y, ys, _HEIGHT // 4, plotext.yscale, plotext.yticks)
    if picture.title:
        plotext.title(picture.title)
    plotext.xlabel(picture.x.label)
    text = plotext.build()
    if not colour:
        text = plotext.uncolorize(text)
    paint = plotext.colorize if colour else _unpainted
    below = [picture.note, *_legend(picture, pens, columns, paint)]
    lines = [picture.y.label, *text.rstrip("\n").split("\n"), *(one for one in below if one)]
    shown = "".join(f"{one.rstrip()}\n" for one in lines)
    rows = Rows()
    shown = rows.feed(shown.encode()) + rows.finish()
    return shown if unicode else _in_ascii(shown)


def _unpainted(text: str, _colour: object) -> str:
    return text


def _pens(picture: Picture, *, colour: bool) -> list[Pen]:
    if picture.bar:
        return _shaded(picture, colour=colour)
    pens = []
    for at, one in enumerate(picture.lines):
        mark = "." if one.is_faint else _MARKS[at % len(_MARKS)]
        paint = "gray" if one.is_faint else _COLOURS[at % len(_COLOURS)]
        single = len(picture.lines) == 1
        pens.append(Pen(one.label, "*" if single else mark, paint if colour else None))
    return pens


def _shaded(picture: Picture, *, colour: bool) -> list[Pen]:
    """Return pens of as many shades as can be told apart, each for a range of numbers."""
    numbers = sorted({one.number or 0.0 for one in picture.lines})
    count = min(len(_SHADES), len(numbers))
    shade_of = {number: at * count // len(numbers) for at, number in enumerate(numbers)}
    ranges = [[n for n in numbers if shade_of[n] == shade] for shade in range(count)]
    names = [
        f"{picture.legend} {some[0]:g}" + (f" to {some[-1]:g}" if len(some) > 1 else "")
        for some in ranges
    ]
    pens, named = [], set()
    for one in picture.lines:
        shade = shade_of[one.number or 0.0]
        paint = _SHADES[shade * (len(_SHADES) - 1) // max(1, count - 1)]
        label = "" if shade in named else names[shade]
        named.add(shade)
        pens.append(Pen(label, _MARKS[shade], paint if colour else None))
    return pens


def _draw(plotext: Any, picture: Picture, line: Line, pen: Pen, *, dense: bool) -> None:
    options: dict[str, Any] = {} if pen.colour is None else {"color": pen.colour}
    for xs, ys in _parts(picture, line):
        if picture.with_lines and len(xs) > 1:
            plotext.plot(xs, ys, marker="braille" if dense else pen.mark, **options)
        if picture.with_points or len(xs) == 1:
            plotext.scatter(xs, ys, marker="dot" if dense else pen.mark, **options)
    if picture.with_lines and (ends := breaks_of(line)):
        xs, ys = map(list, zip(*ends, strict=True))
        plotext.scatter(xs, ys, marker="\N{MULTIPLICATION SIGN}" if dense else "X", **options)


def _parts(picture: Picture, line: Line) -> Iterator[tuple[list[float], list[float]]]:
    """Yield the stretches of a line that can be shown."""
    xs: list[float] = []
    ys: list[float] = []
    for x, y in zip(line.xs, line.ys, strict=True):
        hidden = (picture.x.is_log and x <= 0) or (picture.y.is_log and y <= 0)
        if is_drawn(y) and not hidden:
            xs.append(x)
            ys.append(y)
        elif xs:
            yield xs, ys
            xs, ys = [], []
    if xs:
        yield xs, ys


def _scale(axis: Axis, values: Sequence[float], most: int, scale: Any, ticks: Any) -> None:
    if axis.is_log:
        scale("log")
    if axis.names:
        ticks(list(range(len(axis.names))), list(axis.names))
    elif axis.ticks:
        ticks([at for at, _ in axis.ticks], [text for _, text in axis.ticks])
    elif places := nice_ticks(values, most, is_log=axis.is_log):
        ticks(places, [f"{one:g}" for one in places])


def _legend(picture: Picture, pens: Sequence[Pen], columns: int, paint: Any) -> list[str]:
    """Return the lines of the legend: marks and names, as many beside each other as fit."""
    named = [one for one in pens if one.label]
    head = f"{picture.legend}:" if picture.legend and not picture.bar and named else ""
    lines, used = [head], columns_of(head)
    for pen in named[:_NAMED_MOST]:
        name = shorten(pen.label, columns - 6)
        width = columns_of(name) + 3 + len(_GAP)
        if used and used + width > columns:
            lines.append("")
            used = 0
        gap = _GAP if used else ""
        lines[-1] += f"{gap}{paint(pen.mark * 2, pen.colour)} {name}"
        used += width
    if len(named) > _NAMED_MOST:
        lines.append(f"and {len(named) - _NAMED_MOST} more")
    return lines


def _in_ascii(text: str) -> str:
    """Return a drawing whose frame is of ASCII characters."""
    frame = {
        **dict.fromkeys("┌┐└┘├┤┬┴┼", "+"),
        "─": "-",
        "│": "|",
        "•": "*",
        "·": ".",
        "\N{MULTIPLICATION SIGN}": "X",
    }
    return "".join(frame.get(one, one if one.isascii() else "?") for one in text)
