"""What follows from how jobs start on this machine: a command is held, or the machine set aside.

The edge around `starts` and `probation`: it asks the queue how the same commands started elsewhere,
but only after a start that went badly.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from mlq.api.held import hold_waiting
from mlq.jobs.needs import word_of
from mlq.store.replies import Attempt
from mlq.store.store import Store
from mlq_worker.agent.absences import Machines
from mlq_worker.agent.attempts import LocalAttempt
from mlq_worker.agent.context import MachineContext
from mlq_worker.agent.probation import Probation
from mlq_worker.agent.schedule import Plan
from mlq_worker.agent.starts import (
    START_S,
    OwnStart,
    Seen,
    Start,
    command_fails,
    how_it_started,
    machine_fails,
)

log = logging.getLogger(__name__)

_REMEMBERED = 20


@dataclass(frozen=True, slots=True)
class _Finding:
    """A command to hold, with the last line of a log."""

    word: str
    row: tuple[Start, ...]
    reason: str


class Conduct:
    """How this machine and the commands it runs do.

    Args:
        context: this machine.
        store: the queue.
    """

    def __init__(self, context: MachineContext, store: Store) -> None:
        self._context, self._store = context, store
        self._row: list[OwnStart] = []
        self._lasted: set[Attempt] = set()
        self._finding: _Finding | None = None
        self._held: set[str] = set()
        self.probation = Probation()

    # --- what may be taken ----------------------------------------------------------------------

    def allowed(self, plan: Plan | None, held: int, now_s: float) -> Plan | None:
        """Return what of a plan may be carried out, while so many attempts are held."""
        if self._finding is not None:
            return None  # for a moment: what would be claimed now is most likely held next
        return self.probation.allowed(plan, held, now_s)

    @property
    def is_due(self) -> bool:
        """Whether a command is to be held."""
        return self._finding is not None

    def unwanted(self, living: Iterable[LocalAttempt]) -> tuple[Attempt, ...]:
        """Return what was claimed ahead and would most likely fail like those before it."""
        if not self.probation.reason and not self._held:
            return ()
        return tuple(
            one.attempt
            for one in living
            if one.lane
            and one.leader_pid is None
            and not one.stopping
            and (self.probation.reason or word_of(one.needs, "s") in self._held)
        )

    # --- what happened --------------------------------------------------------------------------

    def ended(self, attempts: Iterable[LocalAttempt], now_s: float) -> None:
        """Learn from attempts whose end the queue has, and look farther if some started badly."""
        bad = False
        for one in attempts:
            how = how_it_started(one.result) if one.result is not None else ""
            self._lasted.discard(one.attempt)
            if how == "good":
                self._well(word_of(one.needs, "s"))
            elif how == "bad" and one.result is not None and word_of(one.needs, "s"):
                why = one.result.last_line or one.result.reason
                own = OwnStart(one.attempt[0], word_of(one.needs, "s"), why)
                self._row = [*self._row[1 - _REMEMBERED :], own]
                bad = True
        if bad:
            self._weigh(now_s)

    def _well(self, word: str) -> None:
        self._row = []
        self._held.discard(word)
        self.probation.end()

    def lasted(self, living: Iterable[LocalAttempt], now_s: float) -> None:
        """Note attempts that have lived past their start."""
        found = [
            one
            for one in living
            if one.leader_pid is not None
            and one.attempt not in self._lasted
            and now_s - one.started_s > START_S
        ]
        if found:
            starts = [(one.attempt[0], "good") for one in found]
            self._store.note_starts(self._context.machine, starts)
            self._lasted.update(one.attempt for one in found)
            self._well("")

    def look(self, utc_s: float) -> None:
        """Hold the command that was found, and end a probation that has no reason any more."""
        finding = self._finding
        if finding is not None:
            self._hold(finding, utc_s)
            self._finding = None
        if self.probation.reason and self._row:
            seen = self._seen()
            if not machine_fails(self._row, self._context.machine, seen):
                self.probation.end()

    def restore(self, machines: Machines, now_s: float) -> None:
        """Go on from what this machine's worker before said."""
        _, record = machines.get(self._context.machine, (0.0, {}))
        self.probation.restore(record.get("aside"), now_s)

    # --- inside ---------------------------------------------------------------------------------

    def _seen(self) -> Seen:
        words = {one.word for one in self._row}
        told = self._store.starts(words, self._context.settings.lease_s)
        starts = {
            word: [Start.parse(one) for one in entries or ()]
            for word, entries in dict(told["starts"] or {}).items()
        }
        last = {name: how == "good" for name, how in dict(told["last"] or {}).items()}
        return Seen(starts, last, tuple(told["living"] or ()))

    def _weigh(self, now_s: float) -> None:
        seen = self._seen()
        for own in reversed(self._row):
            row = command_fails(seen.starts.get(own.word, ()), seen.living)
            if row and self._finding is None:
                self._finding = _Finding(own.word, row, own.reason)
                return
        if machine_fails(self._row, self._context.machine, seen):
            jobs = len({one.job_id for one in self._row})
            last = self._row[-1].reason
            reason = f"{jobs} jobs in a row failed within {START_S:.0f}s here and go well elsewhere"
            self.probation.begin(f"{reason} (last: {last})", now_s)
            log.warning("%s", self.probation.note())

    def _hold(self, finding: _Finding, utc_s: float) -> None:
        jobs = list(dict.fromkeys(one.job_id for one in reversed(finding.row)))
        machines = sorted({one.machine for one in finding.row})
        reason = (
            f"held: {len(jobs)} jobs of this command in a row failed within {START_S:.0f}s, "
            f"on {' and '.join(machines)}: {finding.reason}"
        )
        found = hold_waiting(self._store, finding.word, reason, utc_s)
        self._held.add(finding.word)
        if found:
            log.warning("%d jobs are held: %s", len(found), reason)
