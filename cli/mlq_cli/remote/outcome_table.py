"""How it went on each machine, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlq_cli.render.style import Style
from mlq_cli.render.table import Cell, Column, table

if TYPE_CHECKING:
    from mlq_cli.remote.outcome import Outcome

_COLUMNS = (Column("MACHINE"), Column("RESULT"), Column("", 90, least=30))


def outcome_table(outcomes: Sequence[Outcome], style: Style) -> list[str]:
    """Return the lines; what to do stands below what went wrong, and nothing is cut short."""
    rows = []
    for one in outcomes:
        result = Cell("ok", "good") if one.ok else Cell("failed", "bad")
        rows.append([Cell(one.machine, "strong"), result, Cell(one.says)])
        if one.fix:
            rows.append([Cell(""), Cell(""), Cell(one.fix, "faint")])
    return table(_COLUMNS, rows, Style(None, style.colour)) if rows else []
