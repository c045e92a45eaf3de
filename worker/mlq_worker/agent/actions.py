"""What a worker can do: the actions that `decide` returns and the effects carry out, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mlq.errors import MachineNameError
from mlq.store.operations import Claimant, Move
from mlq.store.replies import Attempt, HeldAttempt, Renewal, SentSignal
from mlq_worker.agent.admission import Admitted
from mlq_worker.agent.collecting import Annotate, Collect
from mlq_worker.agent.conduct import EndProbation, HoldCommand, SetAside, TakeBack
from mlq_worker.agent.copying import CopierAction, TakeCopierRole
from mlq_worker.agent.facts import Mode
from mlq_worker.agent.local_attempt import LocalAttempt
from mlq_worker.agent.reaper import RoleAction, WatchBeats
from mlq_worker.ipc.shortage import Shortage
from mlq_worker.ipc.values import Outcome

# --- with the supervisor, or in the worker's own memory: they need no queue ----------------------


@dataclass(frozen=True, slots=True)
class Confirm:
    """Pass a renewal's reply on to the supervisor: which attempts are ours or lost, since when."""

    renewal: Renewal
    sent_s: float


@dataclass(frozen=True, slots=True)
class RecordStopRequests:
    """Remember which attempts their users want to end or to queue again, and why."""

    stops: Mapping[Attempt, str]
    requeues: Mapping[Attempt, str]


@dataclass(frozen=True, slots=True)
class Stop:
    """Tell the supervisor to end attempts; `shortage` of memory, if that is the reason."""

    attempts: tuple[Attempt, ...]
    outcome: Outcome
    reason: str
    shortage: Shortage | None = None


@dataclass(frozen=True, slots=True)
class PassSignalsOn:
    """Tell the supervisor which signals users send to attempts; it obeys each once."""

    signals: tuple[SentSignal, ...]


@dataclass(frozen=True, slots=True)
class RecordStalled:
    """Remember that a class's jobs are no longer short: one has waited too long behind others."""

    class_name: str
    waited_s: float


@dataclass(frozen=True, slots=True)
class Start:
    """Hold the admitted attempts, and order the supervisor to start them."""

    admitted: Admitted
    claimed_s: float


@dataclass(frozen=True, slots=True)
class Propose:
    """Remember moves until the queue has made them."""

    moves: tuple[Move, ...]


@dataclass(frozen=True, slots=True)
class SettleOrphans:
    """Remember the moves of orphans, and that these orphans are settled."""

    moves: tuple[Move, ...]


@dataclass(frozen=True, slots=True)
class ReadOrphans:
    """Ask NFS how orphans ended."""

    orphans: tuple[HeldAttempt, ...]


@dataclass(frozen=True, slots=True)
class ReadProgress:
    """Ask NFS how far attempts are."""

    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class ReadLargestNumber:
    """Ask NFS for the largest job number."""


@dataclass(frozen=True, slots=True)
class AvoidQueue:
    """Do not use the queue for a moment: another worker holds this machine's name there."""

    error: MachineNameError


@dataclass(frozen=True, slots=True)
class Resign:
    """Forget all held attempts and exit with an error: another worker has this machine's name."""

    error: MachineNameError


@dataclass(frozen=True, slots=True)
class HangUp:
    """Close the connection to the supervisor."""


@dataclass(frozen=True, slots=True)
class Exit:
    """Leave."""


# --- with the queue ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Adopt:
    """Find or start the supervisor, and take over what it holds."""


@dataclass(frozen=True, slots=True)
class RestoreProbation:
    """Restore the probation that this machine's previous worker published."""


@dataclass(frozen=True, slots=True)
class Renew:
    """Renew the leases; the reply is a fact of the next turn."""


@dataclass(frozen=True, slots=True)
class Publish:
    """Publish the machine's state, its mode, and why it takes no jobs ("" if it does)."""

    mode: Mode
    note: str


@dataclass(frozen=True, slots=True)
class CompareAbsences:
    """Learn what the other machines lack."""


@dataclass(frozen=True, slots=True)
class NoteStarts:
    """Tell the queue of attempts that have lived past their start."""

    attempts: tuple[LocalAttempt, ...]


@dataclass(frozen=True, slots=True)
class ReadStarts:
    """Ask the queue how commands that started badly here started elsewhere."""

    after_bad_start: bool


@dataclass(frozen=True, slots=True)
class RaiseNumbers:
    """Tell the queue to give out no job number up to this one again."""

    largest: int


@dataclass(frozen=True, slots=True)
class ReadHeld:
    """Ask the queue which attempts it believes this machine runs."""


@dataclass(frozen=True, slots=True)
class ReadHistories:
    """Ask the queue for the past of jobs."""

    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReadMachines:
    """Ask the queue what other machines offer."""


@dataclass(frozen=True, slots=True)
class Reinstate:
    """Set a job back to the attempt that the results root knows, and drop the claim."""

    attempt: Attempt
    found: int
    who: Claimant
    reason: str


@dataclass(frozen=True, slots=True)
class Reserve:
    """Reserve this machine for a starving job."""

    job_id: str


@dataclass(frozen=True, slots=True)
class CommitAndClaim:
    """Commit moves, claim jobs that fit and look at the waiting jobs, in one round trip.

    Args:
        moves: the moves.
        fits: (class name, how many to claim at most).
        only: the jobs that may be claimed; None: any.
        lacks: by class, the words of what its jobs must look for on another machine.
    """

    moves: tuple[Move, ...]
    fits: tuple[tuple[str, int], ...] = ()
    only: frozenset[str] | None = None
    lacks: tuple[tuple[str, frozenset[str]], ...] = ()


@dataclass(frozen=True, slots=True)
class ReleaseName:
    """Release this machine's name: the worker leaves and holds nothing."""


LocalAction = (
    Confirm
    | RecordStopRequests
    | PassSignalsOn
    | Stop
    | RecordStalled
    | Start
    | Propose
    | SettleOrphans
    | ReadOrphans
    | ReadProgress
    | ReadLargestNumber
    | Collect
    | WatchBeats
    | CopierAction
    | SetAside
    | EndProbation
    | AvoidQueue
    | Resign
    | HangUp
    | Exit
)
QueueAction = (
    Adopt
    | RestoreProbation
    | Renew
    | Publish
    | CompareAbsences
    | NoteStarts
    | ReadStarts
    | HoldCommand
    | TakeBack
    | RaiseNumbers
    | ReadHeld
    | ReadHistories
    | ReadMachines
    | TakeCopierRole
    | Reinstate
    | Reserve
    | CommitAndClaim
    | Annotate
    | RoleAction
    | ReleaseName
)
Action = LocalAction | QueueAction
