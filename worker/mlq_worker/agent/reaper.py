"""The reaper: gives dead attempts back to the queue, and commits results nobody committed.

It also queues the jobs that plain rq scheduled for a time that has come, tells dependents of ended
jobs that nobody told, and forgets old jobs.

One worker has the role at a time (a lock that expires by itself). Looking at NFS happens at a
`BackgroundReader`, whose thread may hang; then there is no look and so no verdict. What it decides
is in `verdicts`; what follows from it for the job is in `endings`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from mlq.files.strict_files import Absent, Refused
from mlq.jobs.lifecycle import Event
from mlq.lenient import record, whole
from mlq.store.operations import Move
from mlq.store.replies import Attempt, Expired, HeldAttempt
from mlq.store.store import Store
from mlq.units import utc_iso
from mlq_worker.agent.attempt_result import AttemptResult, no_result
from mlq_worker.agent.background import BackgroundReader
from mlq_worker.agent.context import MachineContext
from mlq_worker.agent.nfs import End, read_beats, read_results
from mlq_worker.agent.outcomes import History, Patience, ending, loss
from mlq_worker.agent.refused_moves import RefusedMoves
from mlq_worker.liveness.verdicts import Beat, BeatMonitor, BeatSnapshot, Leases

_HISTORY = (
    "status",
    "mlq_spec",
    "mlq_retries",
    "mlq_failures",
    "mlq_losses",
    "mlq_stop",
    "mlq_folder_faults",
)
_FORGET_EVERY_S = 3600.0
# Dependents that a worker tells in one go, in slices: so many still take no more than seconds.
TOLD_SLICES = 100
# How many beats the role lasts without being renewed.
_ROLE_BEATS = 3
# After how many beats without renewal a lease is watched; early enough for `lease_s` of watching to
# be over when the beat has been silent for `dead_s`.
_QUIET_BEATS = 2


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one visit to NFS brought: about whom, their machines' beats, their results."""

    expired: list[HeldAttempt]
    lapsed: frozenset[Attempt]
    look: BeatSnapshot
    results: dict[Attempt, End]

    def lacks_result(self, key: Attempt) -> bool:
        """Whether it is known that the attempt has left no result."""
        return isinstance(self.results.get(key), Absent | Refused)


class Reaper:
    """The role, held or not.

    Args:
        store: the queue.
        context: this machine; its clocks and background readers are used.
        wake: called when NFS has answered.
        aside: the moves that the queue refuses.
    """

    def __init__(
        self, store: Store, context: MachineContext, wake: Callable[[], None], aside: RefusedMoves
    ) -> None:
        self._refused = aside
        self._store, self._settings = store, context.settings
        self._layout = context.layout
        self._reader: BackgroundReader[Evidence] = context.new_reader("reaper", wake)
        self._clock = context.clocks.monotonic_s
        self._beats = BeatMonitor(context.settings.dead_s, 3 * context.settings.beat_s)
        self._leases = Leases(context.settings.lease_s)
        self._forget_due_s = 0.0

    def look(self, now_s: float) -> None:
        """Look after the queue, if the role is ours, and ask NFS about what may be dead.

        Who does not have the role watches the machine that has it, and that one only: when it dies,
        its successor knows at once since when it is silent.

        Args:
            now_s: unix time.
        """
        ours = self._settings.machine
        ttl_s = _ROLE_BEATS * self._settings.beat_s
        holder = self._store.hold_role("reaper", ours, ttl_s, self._clock())
        if holder != ours:
            self._reader.ask(lambda: self._visit((), (holder,), frozenset()))
            return
        self._forget()
        ids, untold = self._store.due_and_untold()
        if untold:
            self._store.tell(now_s, TOLD_SLICES)
        due = [Move(job_id, Event.DUE) for job_id in ids]
        if due:
            self._store.move(due, now_s, self._settings.courtesy_s)
        expired, lapsed = self._expired()
        attempts = tuple(one for one in expired.attempts if one.expired or one.key in lapsed)
        if attempts or expired.holders:
            self._reader.ask(lambda: self._visit(attempts, expired.holders, lapsed))

    def _expired(self) -> tuple[Expired, frozenset[Attempt]]:
        """What was not renewed lately, and which of it has lapsed by this machine's clock."""
        spans = self._settings
        asked_s = self._clock()
        expired = self._store.expired(spans.lease_s, _QUIET_BEATS * spans.beat_s)
        return expired, self._leases.lapsed(expired.attempts, asked_s, self._clock())

    @property
    def has_evidence(self) -> bool:
        """Whether NFS has answered, so that `judge` has something to judge."""
        return self._reader.answered

    def judge(self, now_s: float) -> None:
        """Commit results that were found, requeue what is dead, and tell what was seen.

        Args:
            now_s: unix time, for the record.
        """
        evidence = self._reader.answer()
        moves = [] if evidence is None else self._refused.due(self._moves(evidence, now_s))
        if moves:
            done = self._store.move(moves, now_s, self._settings.courtesy_s)
            self._refused.sent(moves, done.refused)
        if evidence is not None and evidence.expired:
            self._store.record_sightings(
                self._sightings(evidence), _ROLE_BEATS * self._settings.beat_s
            )

    def _visit(
        self,
        expired: Sequence[HeldAttempt],
        holders: Sequence[str],
        lapsed: frozenset[Attempt],
    ) -> Evidence:
        machines = {*holders, *(attempt.machine for attempt in expired)}
        look = read_beats(self._layout, machines, self._clock)
        # After the beats: a result written before the last beat is then surely seen.
        results = read_results(self._layout, [attempt.key for attempt in expired])
        return Evidence(list(expired), lapsed, look, results)

    def _moves(self, evidence: Evidence, now_s: float) -> list[Move]:
        ends = evidence.results
        # One whose result could not be read has no verdict, unless its user wants it to end.
        unresolved = [one for one in evidence.expired if evidence.lacks_result(one.key) or one.stop]
        unresolved = [one for one in unresolved if not _has_ended(ends.get(one.key))]
        dead = self._beats.verdicts(evidence.look, unresolved, evidence.lapsed)
        over = [one for one in evidence.expired if _has_ended(ends.get(one.key)) or one.key in dead]
        if not over:
            return []
        past = histories(self._store, [one.id for one in over])
        patience = Patience.of(self._settings)
        moves = []
        for one in over:
            history, end = past.get(one.id, History()), ends.get(one.key)
            if isinstance(end, AttemptResult):
                moves.append(ending(end, history, patience))
                continue
            if isinstance(end, Refused):
                spoilt = no_result(one.key, one.machine, end.why, utc_iso(now_s))
                move = ending(spoilt, history, patience)
            else:
                why, avoid = dead[one.key], not _is_restarted(one, evidence.look)
                most = patience.max_losses
                move = loss(one.key, one.machine, why, history, most, avoid=avoid)
            # The evidence is a turn old: meanwhile its machine may be back and hold it again.
            moves.append(move._replace(lease=one.lease))
        return moves

    def _sightings(self, evidence: Evidence) -> dict[str, dict[str, Any]]:
        """Return what people are told of machines whose leases ran out (`mlq.machines.health`)."""
        look = evidence.look
        found: dict[str, dict[str, Any]] = {}
        for machine in {attempt.machine for attempt in evidence.expired}:
            beat = look.beats.get(machine)
            if look.unreadable:
                found[machine] = {"unreadable": look.unreadable}
            elif isinstance(beat, Beat):
                silent_s = round(self._beats.silence_s(machine, look.at_s), 1)
                found[machine] = {
                    "silent_s": silent_s,
                    "paused": beat.paused,
                    "worker": beat.worker,
                }
        return found

    def _forget(self) -> None:
        if self._clock() >= self._forget_due_s:
            self._forget_due_s = self._clock() + _FORGET_EVERY_S
            while self._store.forget(self._settings.keep_days * 86400):
                pass


def _has_ended(end: End | None) -> TypeGuard[AttemptResult]:
    return isinstance(end, AttemptResult)


def histories(store: Store, ids: list[str]) -> dict[str, History]:
    """Return the past of these jobs, by id."""
    found = {}
    for job_id, _, spec, retries, failures, losses, stop, faults in store.rows(_HISTORY, ids):
        # Of a job that an older mlq enqueued only the description says it.
        asked = whole(retries) or whole(record(spec).get("retries", 0))
        found[job_id] = History(asked, whole(failures), whole(losses), stop, whole(faults))
    return found


def _is_restarted(attempt: HeldAttempt, look: BeatSnapshot) -> bool:
    """Whether the attempt's machine runs again, under another boot or supervisor."""
    beat = look.beats.get(attempt.machine)
    own = (attempt.boot_id, attempt.supervisor_id)
    return isinstance(beat, Beat) and (beat.boot_id, beat.supervisor_id) != own
