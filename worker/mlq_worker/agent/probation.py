"""A machine that was set aside: it takes one job at a time, after growing pauses. Pure.

Its jobs fail within seconds while those of other machines start well, so any job it takes will most
likely fail. It tries one now and then; when that starts well, it takes all jobs again. The state is
in the machine's record, so that a new worker goes on from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlq.lenient import int_or
from mlq.units import format_duration
from mlq_worker.agent.schedule import Plan

FIRST_S, LONGEST_S = 60.0, 3600.0
_LONGEST_TEXT = 500


@dataclass(slots=True)
class Probation:
    """Since when a machine takes only single jobs, and why; `reason` is "" if it takes all.

    Args:
        reason: why it was set aside.
        tries: how many jobs it has tried since.
        until_s: when it may take the next one, on the worker's clock.
    """

    reason: str = ""
    tries: int = 0
    until_s: float = 0.0

    def begin(self, reason: str, now_s: float) -> None:
        """Set the machine aside, or extend that after a failed try."""
        if self.reason and now_s < self.until_s:
            return  # this was no try: it ran before the machine was set aside
        self.tries = self.tries + 1 if self.reason else 0
        self.reason = reason
        self.until_s = now_s + self._pause_s

    def end(self) -> None:
        """Let the machine take all jobs again."""
        self.reason, self.tries, self.until_s = "", 0, 0.0

    @property
    def _pause_s(self) -> float:
        return min(LONGEST_S, FIRST_S * 2.0 ** min(self.tries, 10))

    def note(self) -> str:
        """Return why the machine takes hardly any jobs, in words; "" if it takes all."""
        if not self.reason:
            return ""
        return f"set aside: {self.reason}; it tries one job every {format_duration(self._pause_s)}"

    def allowed(self, plan: Plan | None, held: int, now_s: float) -> Plan | None:
        """Return what of a plan may be carried out.

        Args:
            plan: what waits and fits.
            held: how many attempts the machine holds.
            now_s: the worker's clock.
        """
        if not self.reason or plan is None:
            return plan
        if held or now_s < self.until_s or not plan.fits:
            return None
        return Plan(((plan.fits[0][0], 1),), None, plan.only)

    def as_json(self) -> dict[str, Any]:
        """Return it in the form of the machine's record."""
        return {"reason": self.reason, "tries": self.tries} if self.reason else {}

    def restore(self, told: object, now_s: float) -> None:
        """Restore what an earlier worker published."""
        if isinstance(told, Mapping) and isinstance(told.get("reason"), str) and told["reason"]:
            self.reason = told["reason"][:_LONGEST_TEXT]
            self.tries = max(0, int_or(told.get("tries")))
            self.until_s = now_s + self._pause_s
