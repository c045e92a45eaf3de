"""The outcome of a command on one machine, and all outcomes as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlq.errors import MlqError
from mlq_cli.render.style import Style
from mlq_cli.render.table import Cell, Column, table


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome on one machine.

    Args:
        machine: the name that the user typed.
        ok: whether the command succeeded.
        says: what the machine said, or what went wrong and why.
        fix: what the user can do about it.
        details: more for `--json`.
    """

    machine: str
    ok: bool
    says: str
    fix: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of_error(cls, machine: str, error: MlqError) -> Outcome:
        """Return the outcome of a failure."""
        says = f"{error.what}: {error.why}" if error.why else error.what
        return cls(machine, ok=False, says=says, fix=error.fix)

    def as_json(self) -> dict[str, Any]:
        """Return the outcome as one object of `--json`."""
        plain = {"machine": self.machine, "ok": self.ok, "says": self.says, "fix": self.fix}
        return {**self.details, **plain}


_COLUMNS = (Column("MACHINE"), Column("RESULT"), Column("", 90, least=30))


def outcome_table(outcomes: Sequence[Outcome], style: Style) -> list[str]:
    """Return the lines; each remedy stands below its failure, and no text is shortened."""
    rows = []
    for one in outcomes:
        result = Cell("ok", "good") if one.ok else Cell("failed", "bad")
        rows.append([Cell(one.machine, "strong"), result, Cell(one.says)])
        if one.fix:
            rows.append([Cell(""), Cell(""), Cell(one.fix, "faint")])
    return table(_COLUMNS, rows, Style(None, style.colour)) if rows else []
