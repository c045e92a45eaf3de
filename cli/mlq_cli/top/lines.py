"""Lines of text whose parts have kinds of colours, and tables made of them.

`mlq_cli.render.table` makes the tables of the other commands, in which a cell has one colour. A
cell here may have several, as a bar has, and a line knows which job or machine it stands for. Both
fit the terminal by the same rule (`fitted`). Cells are cleaned here, so no line carries an escape
sequence from a job.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mlq_cli.render.clean import clean
from mlq_cli.render.style import Style
from mlq_cli.render.table import Cell, Column, columns_of, fitted, shorten

GAP = 2


class Line(NamedTuple):
    """One line of a list.

    Args:
        parts: texts, each with the kind of its colour.
        key: the job, sweep or machine that it stands for; "" if none, and the cursor passes it by.
    """

    parts: tuple[Cell, ...]
    key: str = ""

    @property
    def text(self) -> str:
        """The line without colours."""
        return "".join(part.text for part in self.parts)


Field = Sequence[Cell]
"""The parts of one cell of a table."""


class Row(NamedTuple):
    """One row of a table: what it stands for, and a field for each column."""

    key: str
    fields: Sequence[Field]


def line(*parts: Cell, key: str = "") -> Line:
    """Return a line of these parts, cleaned."""
    return Line(tuple(Cell(clean(part.text), part.kind) for part in parts), key)


def grid(columns: Sequence[Column], rows: Sequence[Row], width: int | None) -> list[Line]:
    """Return the lines of a table: headings first, without empty columns.

    Args:
        columns: the columns.
        rows: the rows.
        width: columns of the terminal; None: shorten nothing.
    """
    fields = [[_cleaned(field) for field in row.fields] for row in rows]
    widths = {
        at: max(columns_of(column.title), *(_width(row[at]) for row in fields))
        for at, column in enumerate(columns)
        if any(row[at] for row in fields)
    }
    shown = fitted(columns, widths, width)
    heads = [(Cell(column.title, "faint"),) if column.title else () for column in columns]
    return [
        _joined(heads, columns, shown, ""),
        *(_joined(row, columns, shown, given.key) for row, given in zip(fields, rows, strict=True)),
    ]


def _cleaned(field: Field) -> tuple[Cell, ...]:
    return tuple(
        part if part.text.isprintable() else Cell(clean(part.text), part.kind)
        for part in field
        if part.text
    )


def _width(field: Field) -> int:
    return sum(columns_of(part.text) for part in field)


def _joined(
    row: Sequence[tuple[Cell, ...]], columns: Sequence[Column], shown: dict[int, int], key: str
) -> Line:
    parts: list[Cell] = []
    gap = 0
    for at, width in shown.items():
        field = cut(row[at], width)
        space = width - _width(field)
        before = gap + (space if columns[at].right else 0)
        if before:
            parts.append(Cell(" " * before))
        parts += field
        gap = GAP + (0 if columns[at].right else space)
    return Line(tuple(parts), key)


def cut(field: Iterable[Cell], width: int) -> tuple[Cell, ...]:
    """Return the parts in at most `width` columns, with a sign where they were cut."""
    field = tuple(field)
    if _width(field) <= width:
        return field
    found: list[Cell] = []
    left = width
    for part in field:
        if columns_of(part.text) >= left:
            # What follows is cut off, so this part shows the sign even if it just fits.
            found.append(Cell(shorten(part.text + "…", left), part.kind) if left else Cell(""))
            break
        found.append(part)
        left -= columns_of(part.text)
    return tuple(part for part in found if part.text)


def spread(left: Field, right: Field, width: int | None) -> Line:
    """Return a line with a text at each end; if it is too narrow, the right one is left out.

    Without a width the two stand side by side.
    """
    left, right = _cleaned(left), _cleaned(right)
    if width is None:
        return Line((*left, Cell(" " * GAP), *right))
    space = width - _width(left) - _width(right)
    if space < GAP:
        return Line(cut(left, width))
    return Line((*left, Cell(" " * space), *right))


def painted(one: Line, style: Style) -> str:
    """Return a line as text for a terminal or a pipe."""
    return "".join(style.paint(part.text, part.kind) for part in one.parts).rstrip()
