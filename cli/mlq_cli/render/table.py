"""Tables that fit the terminal.

A table that is too wide first shortens its wide columns, each no further than is still of use, and
then leaves out whole columns, the least important first. A column of importance `ALWAYS` is never
shortened and never left out: half an id is no id. Cells are cleaned here, so no table can carry
an escape sequence that came with a job.
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


class Column(NamedTuple):
    """One column.

    Args:
        title: its head.
        importance: the smallest is left out first; `ALWAYS` never.
        least: it may be shortened to so many columns; 0 if it is whole or not at all.
        right: numbers stand to the right.
    """

    title: str
    importance: int = ALWAYS
    least: int = 0
    right: bool = False


class Cell(NamedTuple):
    """A text and the kind of colour it has."""

    text: str
    kind: str = ""


def table(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], style: Style) -> list[str]:
    """Return the lines of a table: heads first, empty columns left out.

    Args:
        columns: the columns.
        rows: a cell for each column.
        style: width None leaves everything at full length.
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
        widths: index -> the width its longest cell needs, for the columns that hold anything.
        width: of the terminal, or None.
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

    Wide East Asian characters take two, marks that combine with the one before none
    (Unicode Standard Annex 11).
    """
    if text.isascii():
        return len(text)
    return sum(_columns_of_one(character) for character in text)


def shorten(text: str, width: int) -> str:
    """Return the text in at most `width` columns, with a sign where something was cut."""
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
