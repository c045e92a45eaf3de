"""Which job a machine is kept free for, and which others may start there meanwhile: pure.

A job that has waited too long reserves one machine (`mlq_worker.agent.schedule` says when). The
worker asks these functions before it claims, and `mlq explain` asks them on behalf of a user.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from mlq.jobs.placement import Fit, Offer, RunningAttempt, earliest_start_s, place
from mlq.jobs.request import JobClass, Request


class Contender(NamedTuple):
    """A waiting job, as far as reservations are concerned.

    Args:
        id: of the job.
        priority: larger goes first.
        request: what it asks for.
        time_limit_s: how long it may run; None if it has no limit.
        needs: words of what it needs of a machine (`mlq.jobs.needs`).
    """

    id: str
    priority: int
    request: Request
    time_limit_s: float | None = None
    needs: str = ""

    @classmethod
    def of(
        cls, job_id: str, job_class: JobClass, time_limit_s: float | None, needs: str
    ) -> Contender:
        """Return a job of this class as a contender."""
        return cls(job_id, job_class.priority, job_class.request, time_limit_s, needs)


def could_use(job: Contender, offer: Offer, lacks: Collection[str]) -> bool:
    """Return whether the machine has what the job needs, and the job would fit it if it were idle.

    Args:
        job: the job.
        offer: the machine's.
        lacks: words of what is missing on the machine.
    """
    if any(word in lacks for word in job.needs.split()):
        return False
    if not offer.is_long_enough(job.time_limit_s):
        return False
    return isinstance(place(job.request, offer.when_idle()), Fit)


def kept_for(
    heads: Iterable[Contender],
    reservations: Mapping[str, str],
    offer: Offer,
    lacks: Collection[str],
) -> Contender | None:
    """Return the job that a machine is kept free for; None if there is none.

    Args:
        heads: the first waiting job of each class. A reservation counts only while its job is a
            head.
        reservations: job -> the machine that it has reserved.
        offer: the machine's.
        lacks: words of what is missing on the machine.
    """
    for job in heads:
        if reservations.get(job.id) == offer.machine and could_use(job, offer, lacks):
            return job
    return None


def admitted(
    jobs: Iterable[Contender], reserved: Contender, offer: Offer, running: Sequence[RunningAttempt]
) -> list[Contender]:
    """Return which of the jobs may start on a machine that is kept free for another job.

    Once the reserved job fits, only it may start. Until then a job may start before it if it has a
    higher priority, or surely ends before the reserved job can begin (conservative backfilling).
    Age alone does not count.

    Args:
        jobs: the waiting jobs.
        reserved: the job that the machine is kept free for.
        offer: what is free on the machine.
        running: what runs on it.
    """
    if isinstance(place(reserved.request, offer), Fit):
        return [job for job in jobs if job.id == reserved.id]
    begins_s = earliest_start_s(reserved.request, offer, running)
    return [
        job
        for job in jobs
        if job.priority > reserved.priority
        or (begins_s is not None and job.time_limit_s is not None and job.time_limit_s <= begins_s)
    ]
