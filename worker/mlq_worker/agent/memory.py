"""What a worker remembers from turn to turn; it can lose all of it at any time.

The supervisor has the attempts, NFS has their results, and the worker asks for the rest again; so a
new worker begins with an empty memory. Replies of the queue stay here until the next look.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mlq.errors import MlqError
from mlq.jobs.lifecycle import ENDED, TRANSITIONS
from mlq.jobs.placement import Offer
from mlq.store.operations import Move
from mlq.store.replies import Attempt, HeldAttempt, Refusal
from mlq.store.store import Store
from mlq_worker.agent.absences import Absences
from mlq_worker.agent.admission import Claimed
from mlq_worker.agent.attempts import AttemptTable
from mlq_worker.agent.backlog import Backlog
from mlq_worker.agent.backoff import RefusedMoves
from mlq_worker.agent.collector_role import CollectorRole
from mlq_worker.agent.conduct import Conduct, SeenStarts
from mlq_worker.agent.context import MachineContext
from mlq_worker.agent.copying import CopierRole
from mlq_worker.agent.cramped import Machines
from mlq_worker.agent.facts import Mode, RenewalReply
from mlq_worker.agent.history import History
from mlq_worker.agent.leaving import Leaving
from mlq_worker.agent.monitor import ResourceMonitor
from mlq_worker.agent.neighbourhood import Neighbourhood
from mlq_worker.agent.nfs_reads import NfsReads
from mlq_worker.agent.queue_state import QueueState
from mlq_worker.agent.reaper_role import ReaperRole
from mlq_worker.agent.supervisor_session import SupervisorSession
from mlq_worker.agent.vram_limits import VramLimits

_OVER = frozenset(event for (_, event), to in TRANSITIONS.items() if to in ENDED)


@dataclass(slots=True)
class Replies:
    """What the queue replied since the last look; the names are those of `Facts`."""

    renewal: RenewalReply | None = None
    claimed: Claimed | None = None
    has_untold: bool = False
    starts: SeenStarts | None = None
    held: tuple[HeldAttempt, ...] = ()
    histories: Mapping[str, History] = field(default_factory=dict)
    machines: Machines = field(default_factory=dict)


class Memory:
    """A worker's memory.

    Args:
        context: this machine and everything that belongs to it.
        store: the queue.
        ring: wakes the loop; may be called from any thread.
        idle_s: see `WorkerOptions`.
    """

    def __init__(
        self,
        context: MachineContext,
        store: Store,
        ring: Callable[[], None],
        idle_s: float | None = None,
    ) -> None:
        self._settings = settings = context.settings
        self._clock = context.clocks.boot_s
        self.session = SupervisorSession(context)
        self.leaving = Leaving(context.inside, idle_s, self._clock(), context.new_reader, ring)
        self.monitor = ResourceMonitor(context, self._clock(), context.own_pids(None))
        self.vram = VramLimits()
        self.neighbourhood = Neighbourhood(context)
        self.reads = NfsReads(
            context.layout,
            context.new_reader,
            ring,
            self._clock,
            settings.beat_s,
            context.files,
        )
        self.queue = QueueState(context.layout, context.new_reader, ring, context.files)
        self.backlog = Backlog(settings)
        self.absences = Absences(context.machine)
        self.conduct = Conduct()
        self.refused = RefusedMoves(settings.beat_s)
        self.reaper = ReaperRole(store, context, ring, self.refused)
        self.copier = CopierRole(store, context, ring)
        self.collector = CollectorRole(context, ring)
        self.pending: list[Move] = []
        self.replies = Replies()
        self.renew_due_s = self.link_retry_s = 0.0
        self.shown_mode: Mode | None = None
        self.is_restored = False
        self.clock_off_s: float | None = None

    @property
    def attempts(self) -> AttemptTable:
        """What this machine holds."""
        return self.session.attempts

    def offer(self) -> Offer:
        """Return the resources that are free for new jobs."""
        theirs = self.neighbourhood.promises(self._clock())
        promises = [*self.attempts.promises(), *theirs]
        offer = self.monitor.offer(promises, is_anybody=self._is_anybody)
        left_s = self.leaving.left_s(self._clock())
        return offer if left_s is None else replace(offer, left_s=left_s)

    def kept_for_others(self) -> tuple[int, int]:
        """Return how many cores and how much memory, in MiB, are left free for others now."""
        return self.monitor.kept_for_others(is_anybody=self._is_anybody)

    @property
    def _is_anybody(self) -> bool:
        return self.session.guest.facts.get("room", {}).get("anybody") is True

    def take_replies(self) -> Replies:
        """Return what the queue replied since the last look."""
        replies, self.replies = self.replies, Replies()
        return replies

    def renewed(self, reply: RenewalReply, clock_off_s: float | None) -> None:
        """Note that the queue answered a renewal; None: it did not tell the time."""
        self.queue.renewed(reply.renewal)
        self.replies.renewal = reply
        self.renew_due_s = reply.sent_s + self._settings.beat_s
        if clock_off_s is not None:
            self.clock_off_s = round(clock_off_s, 1)

    def moved(self, moves: Sequence[Move], refused: Collection[Refusal], now_s: float) -> None:
        """Note which of the moves sent to the queue it refused; the others are made or stale."""
        self.refused.sent(moves, refused, now_s)
        keys = {one.key for one in refused}
        done = [key for move in moves if (key := (move.id, move.attempt)) not in keys]
        ended = [self.attempts.by_key[key] for key in done if key in self.attempts.by_key]
        over = {(move.id, move.attempt) for move in moves if move.event in _OVER}
        self.committed(
            done, [one.attempt for one in ended if one.copies_code and one.attempt in over]
        )
        self.conduct.ended(ended)

    def committed(self, done: Sequence[Attempt], over: Collection[Attempt] = ()) -> None:
        """Note that the queue has these ends; the jobs of those in `over` ended for good."""
        if done:
            self._drop_pending(done)
            self.backlog.freed()
            self.session.forget(done, over)

    def claimed(self, claimed: Claimed) -> None:
        """Note that the queue gave these claims."""
        if claimed.claims:
            # An earlier note about this number meant an attempt that the queue has forgotten.
            self._drop_pending(claimed.keys)
            self.replies.claimed = claimed

    def _drop_pending(self, done: Collection[Attempt]) -> None:
        self.pending = [one for one in self.pending if (one.id, one.attempt) not in done]

    def queue_failed(self, error: MlqError) -> None:
        """Pause use of a queue that did not answer; begin again with a renewal."""
        self.queue.failed(error, self._clock())
        self.renew_due_s = 0.0
        for one in self.attempts.by_key.values():
            one.told = {}  # the queue may come back without it
