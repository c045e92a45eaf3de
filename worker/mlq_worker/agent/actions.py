"""What a worker can do: the actions that `decide` returns and the effects carry out, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mlq.errors import MachineNameError
from mlq.store.operations import Claimant, Move
from mlq.store.replies import Attempt, HeldAttempt, Renewal
from mlq_worker.agent.admission import Admitted
from mlq_worker.agent.conduct import EndProbation, HoldCommand, SetAside
from mlq_worker.agent.copying import CopierAction, TakeCopierRole
from mlq_worker.agent.facts import Mode
from mlq_worker.agent.local_attempt import LocalAttempt
from mlq_worker.agent.reaper import RoleAction, WatchBeats
from mlq_worker.ipc.values import Outcome

# --- with the supervisor, or in the worker's own memory: they need no queue ----------------------


@dataclass(frozen=True, slots=True)
class Confirm:
    """Pass a renewal's reply on to the supervisor: who is alive, who is lost, since when."""

    renewal: Renewal
    sent_s: float


@dataclass(frozen=True, slots=True)
class RecordStopRequests:
    """Remember whose users want them to end, and why."""

    reasons: Mapping[Attempt, str]


@dataclass(frozen=True, slots=True)
class Stop:
    """Tell the supervisor to end attempts."""

    attempts: tuple[Attempt, ...]
    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True)
class RecordStalled:
    """Remember that the jobs of a class are short no longer: one has waited for so long."""

    class_name: str
    waited_s: float


@dataclass(frozen=True, slots=True)
class Start:
    """Hold what was admitted, and order it from the supervisor."""

    admitted: Admitted
    claimed_s: float


@dataclass(frozen=True, slots=True)
class Propose:
    """Remember moves until the queue has made them."""

    moves: tuple[Move, ...]


@dataclass(frozen=True, slots=True)
class SettleOrphans:
    """Remember the moves of orphans, and that these are dealt with."""

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
    """Ask NFS how far its jobs are numbered."""


@dataclass(frozen=True, slots=True)
class AvoidQueue:
    """Leave the queue alone for a moment: another worker holds this machine's name there."""

    error: MachineNameError


@dataclass(frozen=True, slots=True)
class Resign:
    """Forget what is held and end with an error: another worker holds this machine's name."""

    error: MachineNameError


@dataclass(frozen=True, slots=True)
class HangUp:
    """Leave the supervisor."""


@dataclass(frozen=True, slots=True)
class Exit:
    """Leave."""


# --- with the queue ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Adopt:
    """Find or start the supervisor, and take over what it holds."""


@dataclass(frozen=True, slots=True)
class RestoreProbation:
    """Go on from what this machine's worker before said of it."""


@dataclass(frozen=True, slots=True)
class Renew:
    """Renew the leases; the reply is a fact of the next turn."""


@dataclass(frozen=True, slots=True)
class Publish:
    """Show how this machine is, in which mode, and why it takes no jobs ("" if it does)."""

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
    """Ask how commands that started badly here started elsewhere."""

    after_bad_start: bool


@dataclass(frozen=True, slots=True)
class RaiseNumbers:
    """Give out no job number up to this one again."""

    largest: int


@dataclass(frozen=True, slots=True)
class ReadHeld:
    """Ask what the queue believes this machine runs."""


@dataclass(frozen=True, slots=True)
class ReadHistories:
    """Ask for the past of jobs."""

    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reinstate:
    """Put a job back to the attempt that the results root knows, and drop the claim of it."""

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
    """Commit moves, claim what fits and look at what waits, in one round trip.

    Args:
        moves: the moves.
        fits: (class name, how many to claim at most).
        only: the jobs that may be claimed; None: any.
        lacks: by class the words of what its jobs are to find on another machine.
    """

    moves: tuple[Move, ...]
    fits: tuple[tuple[str, int], ...] = ()
    only: frozenset[str] | None = None
    lacks: tuple[tuple[str, frozenset[str]], ...] = ()


@dataclass(frozen=True, slots=True)
class ReleaseName:
    """Give this machine's name up: the worker leaves and holds nothing."""


LocalAction = (
    Confirm
    | RecordStopRequests
    | Stop
    | RecordStalled
    | Start
    | Propose
    | SettleOrphans
    | ReadOrphans
    | ReadProgress
    | ReadLargestNumber
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
    | RaiseNumbers
    | ReadHeld
    | ReadHistories
    | TakeCopierRole
    | Reinstate
    | Reserve
    | CommitAndClaim
    | RoleAction
    | ReleaseName
)
Action = LocalAction | QueueAction
