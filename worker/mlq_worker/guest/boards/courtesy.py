"""Which neighbours go first, and what is kept free for them: pure.

A neighbour whose job waits goes first if it has had less of the machine and its job would fit. If
its job does not fit yet but has waited long, the machine is kept free for it, as for a job of our
own. Invariant: nobody can keep a machine idle for long by waiting: a neighbour that does not take
its turn within `TURN_S` has lost it, until it starts something, or for `LAPSED_S`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from mlq.jobs.placement import Fit, Offer, place
from mlq.jobs.request import Request
from mlq_worker.guest.boards.fairness import Holder, Usage
from mlq_worker.guest.boards.neighbours import Neighbour

TURN_S = 60.0
LAPSED_S = 600.0


class KeptFree(NamedTuple):
    """What others leave to us.

    Args:
        offer: what is free beyond the jobs that go first.
        ahead: whose jobs these are.
        reserved: what the machine is kept free for, because it waits for long; None: nothing.
        reserved_by: whose that is.
    """

    offer: Offer
    ahead: tuple[Holder, ...] = ()
    reserved: Request | None = None
    reserved_by: Holder | None = None


class _Seen(NamedTuple):
    key: str
    since: float
    jobs: frozenset[str]
    offered_at: float | None = None
    lapsed_at: float | None = None


class Courtesy:
    """Remembers since when neighbours wait, and since when they could go first.

    Args:
        us: our own queue.
    """

    def __init__(self, us: Holder) -> None:
        self._us = us
        self._seen: dict[Holder, _Seen] = {}

    def keep_free(
        self,
        neighbours: Iterable[Neighbour],
        usage: Usage,
        offer: Offer,
        patience_s: float,
        at: float,
    ) -> KeptFree:
        """Return what is left to us.

        Args:
            neighbours: they.
            usage: who has had how much.
            offer: what is free on the machine.
            patience_s: a job that waits for so long has the machine kept free.
            at: boot time, in seconds.
        """
        waiting = {(one.uid, one.queue): one for one in neighbours if one.waits is not None}
        self._seen = {who: self._see(who, one, at) for who, one in waiting.items()}
        first = sorted(
            (who for who in waiting if usage.has_less(who, self._us)),
            key=lambda who: (usage.of(who, self._us), self._seen[who].since, who),
        )
        ahead: list[Holder] = []
        reserved: Request | None = None
        reserved_by: Holder | None = None
        for who in first:
            request = request_of(waiting[who])
            fit = place(request, offer)
            if isinstance(fit, Fit):
                if self._offers(who, at):
                    offer = offer.after(request, fit)
                    ahead.append(who)
                continue
            seen = self._seen[who] = self._seen[who]._replace(offered_at=None)
            is_patient = at - seen.since >= patience_s and seen.lapsed_at is None
            if reserved is None and is_patient and fit.fits_when_idle:
                reserved, reserved_by = request, who
        return KeptFree(offer, tuple(ahead), reserved, reserved_by)

    def _see(self, who: Holder, neighbour: Neighbour, at: float) -> _Seen:
        """Return what is known of its wait; what it says of its time costs it nothing to say."""
        key = neighbour.waits.key if neighbour.waits else ""
        jobs = frozenset(job.key for job in neighbour.jobs)
        before = self._seen.get(who)
        if before is None:
            return _Seen(key, at, jobs)
        if jobs - before.jobs:
            before = before._replace(offered_at=None, lapsed_at=None)  # it took its turn
        if before.lapsed_at is not None and at - before.lapsed_at >= LAPSED_S:
            before = before._replace(offered_at=None, lapsed_at=None)
        since = before.since if before.key == key else at
        return before._replace(key=key, since=since, jobs=jobs)

    def _offers(self, who: Holder, at: float) -> bool:
        """Return whether it still may go first; its turn begins when its job could start."""
        seen = self._seen[who]
        if seen.offered_at is None:
            seen = seen._replace(offered_at=at)
        elif seen.lapsed_at is None and at - seen.offered_at >= TURN_S:
            seen = seen._replace(lapsed_at=at)
        self._seen[who] = seen
        return seen.lapsed_at is None


def request_of(neighbour: Neighbour) -> Request:
    """Return what a neighbour's next job asks for; nothing to speak of if none waits."""
    waits = neighbour.waits
    if waits is None:
        return Request()
    return Request(waits.cores, waits.mem_mib, waits.gpus, waits.vram_mib, gpu_type=waits.gpu_type)
