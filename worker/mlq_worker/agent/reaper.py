"""The reaper's decisions: it gives dead attempts back to the queue, and commits results. Pure.

One worker has the role at a time. It also queues the jobs that plain rq scheduled, once their time
has come, tells dependents of ended jobs that were not told, and forgets old jobs. A worker without
the role watches only the machine that has it: when that machine dies, its successor knows at once
since when it has been silent. `verdicts` decides whether an attempt is dead; `outcomes` decides
what follows for the job.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlq.files.strict_files import Absent, Refused
from mlq.jobs.lifecycle import Event
from mlq.store.operations import Move
from mlq.store.replies import Attempt, Expired, HeldAttempt
from mlq.units import utc_iso
from mlq_worker.agent.attempt_result import AttemptResult, no_result
from mlq_worker.agent.history import History, Patience
from mlq_worker.agent.nfs import End
from mlq_worker.agent.outcomes import ending, loss
from mlq_worker.liveness.verdicts import Beat, BeatSnapshot


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one visit to NFS showed: the attempts in question, their machines' beats and results."""

    expired: tuple[HeldAttempt, ...]
    lapsed: frozenset[Attempt]
    beats: BeatSnapshot
    results: Mapping[Attempt, End]

    def lacks_result(self, key: Attempt) -> bool:
        """Return whether the attempt is known to have left no result."""
        return isinstance(self.results.get(key), Absent | Refused)

    @property
    def undecided(self) -> list[HeldAttempt]:
        """The attempts that may be dead: no result tells how they ended.

        One whose result could not be read has no verdict, unless its user wants it to end.
        """
        return [
            one
            for one in self.expired
            if (self.lacks_result(one.key) or one.stop)
            and not isinstance(self.results.get(one.key), AttemptResult)
        ]


@dataclass(frozen=True, slots=True)
class Judged:
    """Evidence, with the dead attempts and why they died, and how long each machine is silent."""

    evidence: Evidence
    dead: Mapping[Attempt, str]
    silent_s: Mapping[str, float]

    @property
    def over(self) -> list[HeldAttempt]:
        """The attempts that are over: dead, or with a result that says how they ended."""
        ends = self.evidence.results
        return [
            one
            for one in self.evidence.expired
            if one.key in self.dead or isinstance(ends.get(one.key), AttemptResult)
        ]


@dataclass(frozen=True, slots=True)
class Overdue:
    """What the queue says is overdue.

    Args:
        due: scheduled jobs whose time has come.
        has_untold: whether dependents of ended jobs have yet to be told.
        expired: the leases that were not renewed lately, and which machines hold attempts at all.
        lapsed: which of those leases have lapsed by this machine's clock.
    """

    due: tuple[str, ...]
    has_untold: bool
    expired: Expired
    lapsed: frozenset[Attempt]


@dataclass(frozen=True, slots=True)
class ReaperFacts:
    """What the reaper decides from; `holder` and `overdue` are facts of one turn only.

    Args:
        holder: the machine that has the role, if that was asked just now.
        is_forgetting_due: whether it is time to forget old jobs again.
        overdue: what is overdue, if that was asked just now.
        judged: what NFS showed; kept until it is applied.
    """

    holder: str | None = None
    is_forgetting_due: bool = False
    overdue: Overdue | None = None
    judged: Judged | None = None


@dataclass(frozen=True, slots=True)
class TakeReaperRole:
    """Take or keep the reaper's role; who has it is a fact of the next turn."""


@dataclass(frozen=True, slots=True)
class ForgetOldJobs:
    """Delete jobs that ended long ago."""


@dataclass(frozen=True, slots=True)
class ReadOverdue:
    """Ask the queue for what is due, and for attempts whose leases were not renewed lately."""


@dataclass(frozen=True, slots=True)
class QueueDue:
    """Queue the scheduled jobs whose time has come."""

    moves: tuple[Move, ...]


@dataclass(frozen=True, slots=True)
class TellDependents:
    """Tell the dependents of ended jobs."""


@dataclass(frozen=True, slots=True)
class WatchBeats:
    """Ask NFS for the beats of machines, and for the results of attempts that may be dead.

    Args:
        attempts: the attempts.
        machines: machines to watch beside theirs.
        lapsed: those of the attempts whose lease has run out by the worker's own clock.
    """

    attempts: tuple[HeldAttempt, ...]
    machines: tuple[str, ...]
    lapsed: frozenset[Attempt] = frozenset()


@dataclass(frozen=True, slots=True)
class ApplyVerdicts:
    """Make the moves of dead attempts, and publish what was seen of their machines."""

    moves: tuple[Move, ...]
    sightings: Mapping[str, dict[str, Any]]


RoleAction = (
    TakeReaperRole | ForgetOldJobs | ReadOverdue | QueueDue | TellDependents | ApplyVerdicts
)
ReaperAction = RoleAction | WatchBeats


def reap(facts: ReaperFacts, machine: str) -> list[ReaperAction]:
    """Return what to do, given which machine has the role and what is overdue."""
    actions: list[ReaperAction] = []
    if facts.holder == machine:
        if facts.is_forgetting_due:
            actions.append(ForgetOldJobs())
        actions.append(ReadOverdue())
    elif facts.holder is not None:
        actions.append(WatchBeats((), (facts.holder,)))
    if facts.overdue is not None:
        actions += _look_after(facts.overdue)
    return actions


def _look_after(overdue: Overdue) -> list[ReaperAction]:
    actions: list[ReaperAction] = []
    if overdue.has_untold:
        actions.append(TellDependents())
    if overdue.due:
        actions.append(QueueDue(tuple(Move(job_id, Event.DUE) for job_id in overdue.due)))
    suspects = tuple(
        one for one in overdue.expired.attempts if one.expired or one.key in overdue.lapsed
    )
    if suspects or overdue.expired.holders:
        actions.append(WatchBeats(suspects, overdue.expired.holders, overdue.lapsed))
    return actions


def verdict_moves(
    judged: Judged, past: Mapping[str, History], patience: Patience, utc_s: float
) -> list[Move]:
    """Return the moves of attempts that are over: commit results, requeue dead attempts' jobs.

    Args:
        judged: what NFS showed, and which attempts are dead.
        past: the history of their jobs, by id.
        patience: how many losses and pauses a job gets before it fails.
        utc_s: unix time, for the record.
    """
    moves = []
    for one in judged.over:
        history, end = past.get(one.id, History()), judged.evidence.results.get(one.key)
        if isinstance(end, AttemptResult):
            moves.append(ending(end, history, patience))
            continue
        if isinstance(end, Refused):
            spoilt = no_result(one.key, one.machine, end.why, utc_iso(utc_s))
            move = ending(spoilt, history, patience)
        else:
            why, avoid = judged.dead[one.key], not _is_restarted(one, judged.evidence.beats)
            most = patience.max_losses
            move = loss(one.key, one.machine, why, history, most, avoid=avoid)
        # The evidence is a turn old: its machine may have come back and hold the attempt again.
        moves.append(move._replace(lease=one.lease))
    return moves


def sightings(judged: Judged) -> dict[str, dict[str, Any]]:
    """Return what users are shown of machines whose leases ran out (`mlq.machines.health`)."""
    found: dict[str, dict[str, Any]] = {}
    beats = judged.evidence.beats
    for machine in {attempt.machine for attempt in judged.evidence.expired}:
        beat = beats.beats.get(machine)
        if beats.unreadable:
            found[machine] = {"unreadable": beats.unreadable}
        elif isinstance(beat, Beat):
            found[machine] = {
                "silent_s": round(judged.silent_s[machine], 1),
                "paused": beat.paused,
                "worker": beat.worker,
            }
    return found


def _is_restarted(attempt: HeldAttempt, beats: BeatSnapshot) -> bool:
    """Return whether the attempt's machine is back with another boot or supervisor."""
    beat = beats.beats.get(attempt.machine)
    own = (attempt.boot_id, attempt.supervisor_id)
    return isinstance(beat, Beat) and (beat.boot_id, beat.supervisor_id) != own
