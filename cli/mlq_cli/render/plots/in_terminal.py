"""Draws a picture in a terminal, by plotext: with colours or without, at any width."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from mlq.errors import MlqError
from mlq_cli.render.clean import LogCleaner
from mlq_cli.render.plots.picture import Line, Picture

_WIDTH, _WIDEST, _HEIGHT, _NARROWEST = 80, 140, 24, 30
_COLOURS = ("blue", "orange", "green", "red", "cyan", "magenta", "gray")
# Without colours only the marks tell lines apart.
_MARKS = ("*", "o", "x", "+", "#", "@", "%", "=")
_NAMED_MOST = 8


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
    plotext.clear_figure()
    columns = max(_NARROWEST, min(width or _WIDTH, _WIDEST))
    plotext.limit_size(False, False)
    plotext.plotsize(columns, _HEIGHT)
    plotext.theme("clear")
    named = [line.label for line in picture.lines if line.label][:_NAMED_MOST]
    for at, line in enumerate(picture.lines):
        options = _options(picture, line, at, colour=colour, unicode=unicode)
        _draw(plotext, picture, line, options, line.label if line.label in named else None)
    if picture.x.is_log:
        plotext.xscale("log")
    if picture.y.is_log:
        plotext.yscale("log")
    if picture.x.names:
        plotext.xticks(list(range(len(picture.x.names))), list(picture.x.names))
    elif picture.x.ticks:
        plotext.xticks([at for at, _ in picture.x.ticks], [text for _, text in picture.x.ticks])
    if picture.title:
        plotext.title(picture.title)
    plotext.xlabel(picture.x.label)
    plotext.ylabel(picture.y.label)
    text = plotext.build()
    if not colour:
        text = plotext.uncolorize(text)
    if not unicode:
        text = _in_ascii(text)
    cleaner = LogCleaner()
    shown = cleaner.feed(text.encode()) + cleaner.finish()
    left_out = sum(bool(line.label) for line in picture.lines) - len(named)
    notes = [picture.note, f"{left_out} more lines have no name here" if left_out > 0 else ""]
    below = "".join(f"{one}\n" for one in notes if one)
    return "".join(f"{line.rstrip()}\n" for line in shown.rstrip("\n").split("\n")) + below


def _options(
    picture: Picture, line: Line, at: int, *, colour: bool, unicode: bool
) -> dict[str, Any]:
    """Return the mark and the colour of a line, and the mark of single points."""
    many = sum(not one.is_faint for one in picture.lines) > 1
    own = "." if line.is_faint else _MARKS[at % len(_MARKS)]
    dense = unicode and (colour or not many)  # dots too small to tell lines apart without colours
    found = {"marker": "braille" if dense else own, "points": "dot" if dense else own}
    return found | (
        {"color": "gray" if line.is_faint else _COLOURS[at % len(_COLOURS)]} if colour else {}
    )


def _draw(
    plotext: Any, picture: Picture, line: Line, options: dict[str, Any], label: str | None
) -> None:
    points = options.pop("points")
    for xs, ys in _parts(picture, line):
        if picture.with_lines and len(xs) > 1:
            plotext.plot(xs, ys, label=label, **options)
        else:
            plotext.scatter(xs, ys, label=label, **{**options, "marker": points})
        label = None


def _parts(picture: Picture, line: Line) -> Iterator[tuple[list[float], list[float]]]:
    """Yield the stretches of a line that can be shown."""
    xs: list[float] = []
    ys: list[float] = []
    for x, y in zip(line.xs, line.ys, strict=True):
        hidden = (picture.x.is_log and x <= 0) or (picture.y.is_log and y <= 0)
        if math.isfinite(y) and not hidden:
            xs.append(x)
            ys.append(y)
        elif xs:
            yield xs, ys
            xs, ys = [], []
    if xs:
        yield xs, ys


def _in_ascii(text: str) -> str:
    """Return a drawing whose frame is of ASCII characters."""
    frame = {
        **dict.fromkeys("┌┐└┘├┤┬┴┼", "+"),
        "─": "-",
        "│": "|",
        "•": "*",
        "·": ".",
    }
    return "".join(frame.get(one, one if one.isascii() else "?") for one in text)
