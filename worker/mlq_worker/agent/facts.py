"""What one look at the world showed: the facts from which the worker decides a turn.

They are observations, not conclusions: replies of the queue, what the supervisor said, what NFS and
the machine showed. `decide` reads them and changes none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from mlq.jobs.placement import Offer
from mlq.store.operations import Move
from mlq.store.replies import Attempt, HeldAttempt, Renewal
from mlq_worker.agent.absences import Absences
from mlq_worker.agent.admission import Claimed
from mlq_worker.agent.attempts import AttemptTable
from mlq_worker.agent.backoff import RefusedMoves
from mlq_worker.agent.collecting import CollectorFacts
from mlq_worker.agent.conduct import Conduct, SeenStarts
from mlq_worker.agent.context import MachineContext
from mlq_worker.agent.copying import CopierFacts
from mlq_worker.agent.cramped import Machines
from mlq_worker.agent.history import History
from mlq_worker.agent.nfs_reads import Orphans
from mlq_worker.agent.reaper import ReaperFacts
from mlq_worker.agent.schedule import PlanInput
from mlq_worker.agent.vram_limits import Overstep
from mlq_worker.guest.boards.board import Board, Process
from mlq_worker.guest.boards.turn_file import Turn

NOBODY = Process(0, 0)


class Mode(Enum):
    """What the operator wants of the worker."""

    RUN = "run"
    DRAIN = "drain"  # take nothing new, leave when the last job has ended
    HANDOVER = "leave"  # leave at once; the jobs run on under the supervisor
    RELEASE = "now"  # hand the jobs back to the queue, then leave


@dataclass(frozen=True, slots=True)
class RenewalReply:
    """What the queue replied to a renewal, and when that was sent on the worker's clock."""

    renewal: Renewal
    sent_s: float


@dataclass(frozen=True, slots=True)
class Facts:
    """One look at the world. Each reply of the queue is a fact of one turn only.

    Args:
        now_s: the worker's clock.
        utc_s: unix time, for the record.
        context: this machine, and all that stays the same while the worker runs.
        mode: what the operator wants.
        shown_mode: the mode last published to the queue; None if none yet.
        is_linked: whether the supervisor is connected and its attempts are adopted.
        supervisor_id: the id of the supervisor.
        link_retry_s: when to try to reach the supervisor again.
        queue_retry_s: when to try the queue again; in the past if it answers.
        renew_due_s: when to renew leases and presence.
        peek_due_s: when to look at the waiting jobs.
        is_restored: whether the probation that the previous worker published is restored.
        obstacle: why supervisor or queue keep the worker from taking jobs; "" if neither does.
        attempts: the attempts that this machine holds.
        offer: the resources that are free for more.
        plan_input: what waits and what is here; None if nothing waits that may be claimed.
        pending: moves that the queue has not made yet, beside those of ended attempts.
        refused: which moves the queue has refused.
        absences: what is missing here, and elsewhere.
        unable: words (`mlq.jobs.needs`) of what the supervisor cannot do; the worker takes no such
            jobs.
        conduct: how the last jobs started here.
        are_numbers_unsure: whether the queue may have forgotten numbers that it gave out.
        largest_number: the largest job number in the results root, if known and not yet told.
        renewal: the reply to a renewal.
        claimed: what a claim returned.
        has_untold: whether dependents of ended jobs have yet to be told.
        starts: what the queue knows of commands that started badly here, if it was asked.
        held: what the queue believes this machine runs.
        orphans: attempts of `held` that it does not run, and how they ended; kept until settled.
        histories: the past of the jobs that were asked about.
        machines: what the queue knows of all machines, if it was asked.
        cramped: attempts that have had less than half of their cores for long, since others use
            the machine.
        reaper: what the reaper decides from.
        copier: what the copier decides from.
        collector: what decides when the collector looks at attempts.
        oversteps: attempts that took more GPU memory than they asked for.
        leaves_in_s: in how many seconds the worker may leave by itself.
        has_heads: whether anything waits in the queue.
        turn: whether it is our turn to claim among the users of this machine; None: that was not
            asked.
        process: the worker's process, as its board names it.
        shown: what the worker's board says; None: it has none.
        memory_held: what attempts hold of main memory in MiB, by the pid of their first process.
    """

    now_s: float
    utc_s: float
    context: MachineContext
    mode: Mode
    shown_mode: Mode | None
    is_linked: bool
    supervisor_id: str
    link_retry_s: float
    queue_retry_s: float
    renew_due_s: float
    peek_due_s: float
    is_restored: bool
    obstacle: str
    attempts: AttemptTable
    offer: Offer
    plan_input: PlanInput | None
    pending: tuple[Move, ...]
    refused: RefusedMoves
    absences: Absences
    conduct: Conduct
    unable: frozenset[str] = frozenset()
    are_numbers_unsure: bool = False
    largest_number: int | None = None
    renewal: RenewalReply | None = None
    claimed: Claimed | None = None
    has_untold: bool = False
    starts: SeenStarts | None = None
    held: tuple[HeldAttempt, ...] = ()
    orphans: Orphans | None = None
    histories: Mapping[str, History] = field(default_factory=dict)
    machines: Machines = field(default_factory=dict)
    cramped: frozenset[Attempt] = frozenset()
    reaper: ReaperFacts = field(default_factory=ReaperFacts)
    copier: CopierFacts = field(default_factory=CopierFacts)
    collector: CollectorFacts = field(default_factory=CollectorFacts)
    oversteps: Mapping[Attempt, Overstep] = field(default_factory=dict)
    leaves_in_s: float = float("inf")
    has_heads: bool = False
    turn: Turn | None = None
    process: Process = NOBODY
    shown: Board | None = None
    memory_held: Mapping[int, int] = field(default_factory=dict)
