"""Tables that fit the terminal.

A table that is too wide first shortens its wide columns, none below its `least` width, and then
leaves out whole columns, the least important first. A column of importance `ALWAYS` is never
shortened and never left out, since a shortened id cannot be used. Cells are cleaned here, so a
table never carries an escape sequence from a job.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from mlq_cli.render.clean import clean
from mlq_cli.render.style import Style

ALWAYS = 100
_GAP = "  "
_CUT = "…"
_FIRST_COMBINING = "\u0300"


class Column(NamedTuple):
    """One column.

    Args:
        title: its heading.
        importance: the column with the smallest value is left out first, `ALWAYS` never.
        least: the smallest width to which it can be shortened; 0: it is never shortened.
        right: whether its cells are aligned to the right, as numbers are.
    """

    title: str
    importance: int = ALWAYS
    least: int = 0
    right: bool = False


class Cell(NamedTuple):
    """A text and the kind of its colour."""

    text: str
    kind: str = ""


def table(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], style: Style) -> list[str]:
    """Return the lines of a table: headings first, without empty columns.

    Args:
        columns: the columns.
        rows: for each row, a cell for each column.
        style: how to render; with width None nothing is shortened.
    """
    texts = [[clean(cell.text) for cell in row] for row in rows]
    widths = [
        max([columns_of(column.title), *(columns_of(row[at]) for row in texts)])
        for at, column in enumerate(columns)
    ]
    filled = [at for at, _ in enumerate(columns) if any(row[at] for row in texts)]
    shown = fitted(columns, {at: widths[at] for at in filled}, style.width)
    heads = [_line([(column.title, "faint") for column in columns], columns, shown, style)]
    return heads + [
        _line(
            [(text, cell.kind) for text, cell in zip(line, row, strict=True)], columns, shown, style
        )
        for line, row in zip(texts, rows, strict=True)
    ]


def fitted(columns: Sequence[Column], widths: dict[int, int], width: int | None) -> dict[int, int]:
    """Return which columns are shown, by index, and how wide.

    Args:
        columns: all columns.
        widths: index -> the width of the longest cell, for the columns that are not empty.
        width: width of the terminal, or None.
    """
    if width is None or not widths:
        return widths
    kept = dict(widths)
    while True:
        least = {at: min(columns[at].least or full, full) for at, full in kept.items()}
        gaps = len(_GAP) * (len(kept) - 1)
        missing = sum(kept.values()) + gaps - width
        if missing <= 0:
            return kept
        if sum(least.values()) + gaps <= width:
            return _shortened(columns, kept, least, missing)
        victim = min(kept, key=lambda at: (columns[at].importance, -at))
        if columns[victim].importance >= ALWAYS:
            return least
        del kept[victim]


def _shortened(
    columns: Sequence[Column], widths: dict[int, int], least: dict[int, int], missing: int
) -> dict[int, int]:
    """Take `missing` from the widths, from the least important columns first."""
    shown = dict(widths)
    for at in sorted(widths, key=lambda at: columns[at].importance):
        taken = min(missing, widths[at] - least[at])
        shown[at] -= taken
        missing -= taken
    return shown


def _line(
    cells: Sequence[tuple[str, str]], columns: Sequence[Column], shown: dict[int, int], style: Style
) -> str:
    parts = []
    for at, width in shown.items():
        text, kind = cells[at]
        short = shorten(text, width)
        pad = " " * (width - columns_of(short))
        painted = style.paint(short, kind) if short else ""
        parts.append(pad + painted if columns[at].right else painted + pad)
    return _GAP.join(parts).rstrip()


def columns_of(text: str) -> int:
    """Return how many columns of a terminal the text takes.

    Wide East Asian characters take two columns, combining marks none (Unicode Standard Annex 11).
    """
    if text.isascii() or max(text) < _FIRST_COMBINING:  # nor is any before it wide
        return len(text)
    return sum(_columns_of_one(character) for character in text)


def shorten(text: str, width: int) -> str:
    """Return the text in at most `width` columns, with a sign where it was cut."""
    if columns_of(text) <= width:
        return text
    taken, used = [], 0
    for character in text:
        used += _columns_of_one(character)
        if used > width - 1:
            break
        taken.append(character)
    return "".join(taken).rstrip() + _CUT


def _columns_of_one(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
