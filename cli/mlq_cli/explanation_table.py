"""What the machines say to a job, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlq_cli.render.style import Style
from mlq_cli.render.table import Cell, Column, table

if TYPE_CHECKING:
    from mlq_cli.explanation import Verdict

_COLUMNS = (Column("MACHINE"), Column("FITS"), Column("WHY NOT NOW", 90, least=30))
_KINDS = {"now": "good", "later": "waiting", "never": "bad"}


def verdict_table(verdicts: Sequence[Verdict], style: Style) -> list[str]:
    """Return the lines: one reason a line, so that none is cut short."""
    rows = []
    for one in verdicts:
        first, *others = one.why or ("",)
        rows.append([Cell(one.machine), Cell(one.answer, _KINDS[one.answer]), Cell(first)])
        rows += [[Cell(""), Cell(""), Cell(reason)] for reason in others]
    return table(_COLUMNS, rows, style) if rows else []
