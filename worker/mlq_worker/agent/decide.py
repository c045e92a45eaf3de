"""What the worker does in a turn: pure.

`decide` gets the facts of this turn and returns the actions; the daemon carries them out and looks
again. Nothing is done directly in reaction to something noticed, so there is no second path for
recovery: a worker that starts after a crash simply finds results to commit, attempts to adopt and
leases to renew in its first turn.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from mlq.store.operations import Move
from mlq.store.replies import Attempt
from mlq_worker.agent.schedule import Plan


class Mode(Enum):
    """What the operator wants of the worker."""

    RUN = "run"
    DRAIN = "drain"  # take nothing new, leave when the last job has ended
    HANDOVER = "leave"  # leave at once; the jobs run on under the supervisor
    RELEASE = "now"  # hand the jobs back to the queue, then leave


@dataclass(frozen=True, slots=True)
class Facts:
    """One look at the world.

    Args:
        now_s: the worker's clock.
        mode: what the operator wants.
        linked: whether the supervisor is there and what it holds is adopted.
        link_retry_s: when to try for the supervisor again.
        queue_retry_s: when to try the queue again; in the past if it answers.
        renew_due_s: when leases and presence are to be renewed.
        moves: ends to commit, and other moves that wait.
        plan: what the waiting jobs call for; None if this machine offers nothing.
        peek_due_s: when to look at what waits.
        living: attempts that have not ended.
        stoppable: those of them that were not told to end yet.
        stuck: those of them that wait in a lane behind a job that does not end.
        unwanted: those of them that wait in a lane and would fail like those before them.
        evidence: whether NFS has shown something about attempts that may be dead.
    """

    now_s: float
    mode: Mode
    linked: bool
    link_retry_s: float
    queue_retry_s: float
    renew_due_s: float
    moves: tuple[Move, ...]
    plan: Plan | None
    peek_due_s: float
    living: tuple[Attempt, ...]
    stoppable: tuple[Attempt, ...]
    stuck: tuple[Attempt, ...] = ()
    unwanted: tuple[Attempt, ...] = ()
    evidence: bool = False


@dataclass(frozen=True, slots=True)
class Adopt:
    """Find or start the supervisor, and square what it holds with what the queue believes."""


@dataclass(frozen=True, slots=True)
class Renew:
    """Renew the leases, show presence, and learn what is lost or to be stopped."""


@dataclass(frozen=True, slots=True)
class ApplyVerdicts:
    """Act on what NFS showed about attempts that may be dead."""


@dataclass(frozen=True, slots=True)
class CommitAndClaim:
    """Commit moves, claim what fits and look at what waits, in one round trip."""

    moves: tuple[Move, ...]
    fits: tuple[tuple[str, int], ...]
    only: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Reserve:
    """Reserve this machine for a starving job."""

    job_id: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Tell the supervisor to end attempts."""

    attempts: tuple[Attempt, ...]
    outcome: str
    reason: str


@dataclass(frozen=True, slots=True)
class Exit:
    """Leave."""


Action = Adopt | Renew | ApplyVerdicts | CommitAndClaim | Reserve | Stop | Exit


def decide(facts: Facts) -> list[Action]:
    """Return what to do now, in order; an empty list means wait."""
    if facts.mode is Mode.HANDOVER:
        return [*_commit(facts), Exit()]
    if not facts.linked:
        return [Adopt()] if _both_due(facts) else []
    actions: list[Action] = []
    if facts.mode is Mode.RELEASE and facts.stoppable:
        actions.append(Stop(facts.stoppable, "released", "handed back: the worker was stopped"))
    elif facts.stuck:
        actions.append(Stop(facts.stuck, "released", "handed back: the job ahead of it takes long"))
    elif facts.unwanted:
        actions.append(Stop(facts.unwanted, "released", "handed back: jobs like it fail here"))
    if facts.now_s >= facts.queue_retry_s:
        actions += _with_queue(facts)
    if facts.mode is not Mode.RUN and not facts.living and not facts.moves:
        actions.append(Exit())
    return actions


def _both_due(facts: Facts) -> bool:
    return facts.now_s >= facts.link_retry_s and facts.now_s >= facts.queue_retry_s


def _commit(facts: Facts) -> list[Action]:
    if facts.moves and facts.linked and facts.now_s >= facts.queue_retry_s:
        return [CommitAndClaim(facts.moves, ())]
    return []


def _with_queue(facts: Facts) -> list[Action]:
    actions: list[Action] = []
    if facts.now_s >= facts.renew_due_s:
        actions.append(Renew())
    if facts.evidence:
        actions.append(ApplyVerdicts())
    wanted = facts.plan if facts.mode is Mode.RUN else None
    fits, only = (wanted.fits, wanted.only) if wanted is not None else ((), None)
    peeks = facts.mode is Mode.RUN and facts.now_s >= facts.peek_due_s
    if peeks and wanted is not None and wanted.reserve is not None:
        # Repeated with each look at what waits, not each turn: turns would never end.
        actions.append(Reserve(wanted.reserve))
    if facts.moves or fits or peeks:
        actions.append(CommitAndClaim(facts.moves, fits, only))
    return actions


def next_turn_s(facts: Facts, idle_s: float) -> float:
    """Return how many seconds the worker may wait if nothing wakes it."""
    due = [facts.renew_due_s]
    if facts.mode is Mode.RUN:
        due.append(facts.peek_due_s)
    if not facts.linked:
        due = [facts.link_retry_s]
    soonest = max(min(due), facts.queue_retry_s)
    return min(idle_s, max(0.0, soonest - facts.now_s))
