"""What the doctor found, as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlq_cli.render.style import Style
from mlq_cli.render.table import Cell, Column, table
from mlq_cli.render.words import count

if TYPE_CHECKING:
    from mlq_cli.doctor.check import Check

_COLUMNS = (Column("MACHINE"), Column("CHECK"), Column("RESULT"), Column("", 90, least=30))
_KINDS = {"ok": "good", "warning": "waiting", "problem": "bad"}


def check_table(checks: Sequence[tuple[str, Check]], style: Style) -> list[str]:
    """Return the lines: (machine, check) in their order, the remedy below what is not fine."""
    rows, before = [], ""
    for machine, one in checks:
        shown = machine if machine != before else ""
        before = machine
        result = Cell(one.level, _KINDS[one.level])
        rows.append([Cell(shown, "strong"), Cell(one.topic), result, Cell(one.says)])
        if one.remedy:
            rows.append([Cell(""), Cell(""), Cell(""), Cell(one.remedy, "faint")])
    counts = Counter(str(one.level) for _, one in checks)
    told = [f"{counts['ok']} ok"] if counts["ok"] else []
    told += [count(counts[level], level) for level in ("warning", "problem") if counts[level]]
    return [*table(_COLUMNS, rows, Style(None, style.colour)), "", ", ".join(told)]
