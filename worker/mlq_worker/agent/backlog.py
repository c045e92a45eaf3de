"""What waits in the queue, as this worker last saw it, and when to look again."""

from __future__ import annotations

from mlq.jobs.placement import Offer
from mlq.jobs.request import Request
from mlq.lenient import iso_or_none
from mlq.settings.settings import Settings
from mlq.store.replies import Head, Waiting
from mlq.units import parse_iso
from mlq_worker.agent.attempts import AttemptTable
from mlq_worker.agent.schedule import PlanInput


class Backlog:
    """The heads of the waiting classes.

    Args:
        settings: of this installation.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._waiting = Waiting((), {})
        self._in_vain = False
        self.due_s = 0.0

    @property
    def heads(self) -> tuple[Head, ...]:
        """The first waiting job of each class."""
        return self._waiting.heads

    def has_work(self, now_s: float) -> bool:
        """Return whether something waits that may be claimed."""
        return bool(self.heads) and not (self._in_vain and now_s < self.due_s)

    def call(self) -> None:
        """Note that a new job waits: look at once."""
        self.due_s = 0.0
        self._in_vain = False

    def freed(self) -> None:
        """Note that an attempt here ended: jobs that did not fit before may fit now."""
        self._in_vain = False

    def show(
        self, waiting: Waiting, now_s: float, *, tried: bool, brought: bool, holds: bool
    ) -> None:
        """Take in a new look at the queue.

        A worker that holds nothing, and for which nothing waits, looks half as often: nearly all
        that can happen then is announced.

        Args:
            waiting: what waits.
            now_s: the worker's clock.
            tried: whether the worker just tried to claim what fits.
            holds: whether the worker holds any attempt.
            brought: whether that claim returned a job. If not, the job avoids this machine or needs
                what it lacks, and is not tried again before the next look is due.
        """
        self._waiting = waiting
        self._in_vain = tried and not brought
        is_idle = not holds and not waiting.heads
        self.due_s = now_s + self._settings.poll_s * (2 if is_idle else 1)

    def plan_input(
        self,
        offer: Offer,
        attempts: AttemptTable,
        now_s: float,
        utc_s: float,
        lacks: frozenset[str] = frozenset(),
        kept_for: Request | None = None,
    ) -> PlanInput | None:
        """Return the input of a plan; None if there is nothing to plan.

        Args:
            offer: what is free here.
            attempts: what runs here.
            now_s: the worker's clock.
            utc_s: unix time, to see how long a job has waited.
            lacks: words (`mlq.jobs.needs`) of what is missing here.
            kept_for: what the machine is kept free for, on behalf of a neighbour; None: nothing.
        """
        if not self.has_work(now_s):
            return None
        return PlanInput(
            waiting=self._waiting,
            offer=offer,
            running=attempts.running(now_s),
            waited_s={
                head.id: utc_s - parse_iso(since)
                for head in self.heads
                if (since := iso_or_none(head.enqueued_at))
            },
            short=attempts.prefetch.classes(attempts.active()),
            lacks=lacks,
            kept_for=kept_for,
        )
