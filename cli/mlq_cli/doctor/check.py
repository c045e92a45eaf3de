"""The doctor's result for one precondition, and all results as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from mlq.errors import MlqError
from mlq_cli.render.style import Style
from mlq_cli.render.table import Cell, Column, table
from mlq_cli.render.words import count


class Level(StrEnum):
    """The severity: a problem keeps something from working, a warning may do so later."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Check:
    """The result for one precondition.

    Args:
        topic: the precondition, in one or two words.
        level: the severity.
        says: what was found.
        remedy: what the user can do; "" if the check is fine.
        shared: the value that must be the same on all machines of a queue; "" if there is none.
    """

    topic: str
    level: Level
    says: str
    remedy: str = ""
    shared: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the check as one object of `--json`."""
        plain = {"topic": self.topic, "level": str(self.level)}
        return {**plain, "says": self.says, "remedy": self.remedy, "shared": self.shared}

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> Check:
        """Read what `as_json` wrote, on a machine that may have another version."""
        level = plain.get("level")
        return cls(
            str(plain.get("topic")),
            Level(level) if level in set(Level) else Level.WARNING,
            str(plain.get("says")),
            str(plain.get("remedy") or ""),
            str(plain.get("shared") or ""),
        )


def ok(topic: str, says: str) -> Check:
    """Return a check that is fine."""
    return Check(topic, Level.OK, says)


def warning(topic: str, says: str, remedy: str) -> Check:
    """Return a check that may become a problem."""
    return Check(topic, Level.WARNING, says, remedy)


def problem(topic: str, says: str, remedy: str) -> Check:
    """Return a check that keeps something from working."""
    return Check(topic, Level.PROBLEM, says, remedy)


def of_error(topic: str, error: MlqError) -> Check:
    """Return an error as a problem."""
    says = f"{error.what}: {error.why}" if error.why else error.what
    return problem(topic, says, error.fix)


_COLUMNS = (Column("MACHINE"), Column("CHECK"), Column("RESULT"), Column("", 90, least=30))
_KINDS = {"ok": "good", "warning": "waiting", "problem": "bad"}


def check_table(checks: Sequence[tuple[str, Check]], style: Style) -> list[str]:
    """Return the lines: (machine, check) in order, each remedy below the check that has it."""
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
