"""What a worker asks and does as the reaper; `reaper` decides.

The role is a lock that expires by itself. A `BackgroundReader` looks at NFS; while its thread
hangs there is no look, and so no verdict.
"""

from __future__ import annotations

from collections.abc import Callable

from mlq.store.replies import Attempt, HeldAttempt
from mlq.store.store import Store
from mlq_worker.agent.background import BackgroundReader
from mlq_worker.agent.backoff import RefusedMoves
from mlq_worker.agent.context import MachineContext
from mlq_worker.agent.growth import with_texts
from mlq_worker.agent.nfs import read_beats, read_results
from mlq_worker.agent.reaper import (
    ApplyVerdicts,
    Evidence,
    ForgetOldJobs,
    Judged,
    Overdue,
    QueueDue,
    ReadOverdue,
    ReaperFacts,
    RoleAction,
    TakeReaperRole,
    TellDependents,
    WatchBeats,
)
from mlq_worker.liveness.verdicts import BeatMonitor, Leases

_FORGET_EVERY_S = 3600.0
# How many dependents a worker tells in one go, in slices; this many take a few seconds at most.
_TOLD_SLICES = 100
# How many beats the role lasts without being renewed.
_ROLE_BEATS = 3
# After how many beats without renewal a lease is watched; early enough for `lease_s` of watching to
# be over when the beat has been silent for `dead_s`.
_QUIET_BEATS = 2


class ReaperRole:
    """What a worker asks and does as the reaper, and what it remembers of machines.

    Args:
        store: the queue.
        context: this machine; its clocks and background readers are used.
        wake: called when NFS has answered.
        refused: the moves that the queue refuses.
    """

    def __init__(
        self,
        store: Store,
        context: MachineContext,
        wake: Callable[[], None],
        refused: RefusedMoves,
    ) -> None:
        self._store, self._settings, self._refused = store, context.settings, refused
        self._key = context.key
        self._layout, self._files = context.layout, context.files
        self._reader: BackgroundReader[Evidence] = context.new_reader("reaper", wake)
        self._clock = context.clocks.monotonic_s
        self._boot_s, self._utc_s = context.clocks.boot_s, context.clocks.utc_s
        self._new_reader, self._wake = context.new_reader, wake
        self._cleaner: BackgroundReader[int] | None = None
        self._beats = BeatMonitor(context.settings.dead_s, 3 * context.settings.beat_s)
        self._leases = Leases(context.settings.lease_s)
        self._forget_due_s = 0.0
        self._holder: str | None = None
        self._overdue: Overdue | None = None
        self._judged: Judged | None = None

    def facts(self) -> ReaperFacts:
        """Return the facts; `holder` and `overdue` are reported only once."""
        evidence = self._reader.answer()
        if evidence is not None:
            judged = self._watched(evidence)
            self._judged = judged if evidence.expired else None
        holder, overdue = self._holder, self._overdue
        self._holder = self._overdue = None
        is_forgetting_due = self._clock() >= self._forget_due_s
        return ReaperFacts(holder, is_forgetting_due, overdue, self._judged)

    def _watched(self, evidence: Evidence) -> Judged:
        dead = self._beats.verdicts(evidence.beats, evidence.undecided, evidence.lapsed)
        machines = {one.machine for one in evidence.expired}
        at_s = evidence.beats.at_s
        return Judged(evidence, dead, {one: self._beats.silence_s(one, at_s) for one in machines})

    # --- what it does ---------------------------------------------------------------------------

    def act(self, action: RoleAction) -> None:
        """Carry one action out."""
        match action:
            case TakeReaperRole():
                self._take()
            case ForgetOldJobs():
                self._forget_old_jobs()
            case ReadOverdue():
                self._read_overdue()
            case QueueDue(moves):
                self._store.move(moves, self._utc_s(), self._settings.courtesy_s)
            case TellDependents():
                self._store.tell(self._utc_s(), _TOLD_SLICES)
            case ApplyVerdicts():
                self._apply(action)

    def watch(self, action: WatchBeats) -> None:
        """Ask NFS for beats, and for the results of attempts that may be dead."""
        machines = frozenset({*action.machines, *(one.machine for one in action.attempts)})
        self._reader.ask(lambda: self._visit(action.attempts, machines, action.lapsed))

    def _visit(
        self,
        expired: tuple[HeldAttempt, ...],
        machines: frozenset[str],
        lapsed: frozenset[Attempt],
    ) -> Evidence:
        beats = read_beats(self._layout, machines, self._clock, self._files)
        # Read after the beats: so a result that was written before the last beat is surely seen.
        keys = [attempt.key for attempt in expired]
        results = read_results(self._layout, keys, self._files)
        return Evidence(expired, lapsed, beats, results)

    def _take(self) -> None:
        ttl_s = _ROLE_BEATS * self._settings.beat_s
        self._holder = self._store.roles.hold_role(
            "reaper", self._settings.machine, ttl_s, self._clock()
        )

    def _forget_old_jobs(self) -> None:
        self._forget_due_s = self._clock() + _FORGET_EVERY_S
        while self._store.forget(self._settings.keep_days * 86400):
            pass
        known = frozenset(self._store.reads.machines())
        own = self._settings.machine
        if self._cleaner is None:
            self._cleaner = self._new_reader("old beats", self._wake)
        self._cleaner.answer()
        self._cleaner.ask(lambda: self._files.remove_old_beats(self._layout, own, known))

    def _read_overdue(self) -> None:
        settings, asked_s = self._settings, self._clock()
        due, has_untold = self._store.due_and_untold()
        expired = self._store.expired(settings.lease_s, _QUIET_BEATS * settings.beat_s)
        lapsed = self._leases.lapsed(expired.attempts, asked_s, self._clock())
        self._overdue = Overdue(tuple(due), has_untold, expired, lapsed)

    def _apply(self, verdicts: ApplyVerdicts) -> None:
        self._judged = None
        moves = with_texts(verdicts.moves, self._store, self._key, self._settings.lease_s)
        done = self._store.move(moves, self._utc_s(), self._settings.courtesy_s)
        self._refused.sent(moves, done.refused, self._boot_s())
        self._store.roles.record_sightings(
            dict(verdicts.sightings), _ROLE_BEATS * self._settings.beat_s
        )
