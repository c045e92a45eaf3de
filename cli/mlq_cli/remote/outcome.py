"""How a command went on one machine; what the table, `--json` and the exit code are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlq.errors import MlqError


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it went on one machine.

    Args:
        machine: as it was named.
        ok: whether what was asked for was done.
        says: what the machine said, or what went wrong and why.
        fix: what to do about it.
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
        """Return it as one object of `--json`."""
        plain = {"machine": self.machine, "ok": self.ok, "says": self.says, "fix": self.fix}
        return {**self.details, **plain}
