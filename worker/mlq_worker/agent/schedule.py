"""What to claim, and whether to drain the machine for a job that starves: pure.

The worker offers what is free; the queue shows the head of each class of waiting jobs. A class
fits if `placement.place` says so. Two rules go beyond first-fit:

* Starvation. A stream of small jobs could keep a big one waiting for ever, since there is always
  room for one more small one. A job that waits longer than `patience_s`, and would fit this
  machine if it were empty, reserves one machine. That machine takes nothing else any more, except
  jobs whose time limit ends before the reservation can begin (conservative backfilling). It claims
  the very jobs that were judged: the next in line of the same class may have no time limit.
* Neighbours. A big job of another user's mlq on this machine is one that starves, too.
* Prefetch. The worker claims some jobs ahead of classes whose jobs are very short (`prefetch`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from mlq.jobs.class_name import own_class
from mlq.jobs.placement import Misfit, Offer, RunningAttempt, capacity, place
from mlq.jobs.request import LARGEST, JobClass, Request
from mlq.jobs.reservations import Contender, admitted, could_use, kept_for
from mlq.store.replies import Head, Waiting
from mlq_worker.agent.prefetch import ShortClass

CLAIM_MOST = 64


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do about the waiting jobs.

    Args:
        fits: (class name, how many to claim at most).
        reserve: the starving job this machine should reserve itself for, or None.
        only: the jobs that may be claimed; None: those that are first in their classes by then.
    """

    fits: tuple[tuple[str, int], ...] = ()
    reserve: str | None = None
    only: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class PlanInput:
    """What the worker knows when it plans.

    Args:
        waiting: the heads of the classes, and the reservations in force.
        offer: the resources that this machine has free.
        running: the attempts that run on it.
        short: the classes of short jobs, by name.
        waited_s: how many seconds each head has waited, by job id.
        lacks: words of what is missing here; a job that needs one of these reserves nothing.
        kept_for: the big job of a neighbour that has waited too long; None: there is none.
    """

    waiting: Waiting
    offer: Offer
    running: Sequence[RunningAttempt]
    waited_s: Mapping[str, float]
    short: Mapping[str, ShortClass] = field(default_factory=dict)
    lacks: frozenset[str] = frozenset()
    kept_for: Request | None = None


def plan(plan_input: PlanInput, patience_s: float, default_mem_mib: int) -> Plan:
    """Decide what to claim now."""
    offer, heads = plan_input.offer, plan_input.waiting.heads
    jobs = {head.id: _contender(head, default_mem_mib) for head in heads}
    reserved = kept_for(jobs.values(), plan_input.waiting.reservations, offer, plan_input.lacks)
    starving = reserved or _starving(plan_input, jobs.values(), patience_s)
    kept = [one for one in (starving, _neighbours(plan_input.kept_for)) if one is not None]
    if not kept:
        return Plan(tuple(_fits(plan_input, heads, jobs)))
    ahead = set(jobs)
    for job in kept:
        ahead &= {one.id for one in admitted(jobs.values(), job, offer, plan_input.running)}
    fits = _fits(plan_input, [head for head in heads if head.id in ahead], jobs)
    reserve = None if starving is None else starving.id
    return Plan(tuple((name, 1) for name, _ in fits), reserve, frozenset(ahead))


def _neighbours(request: Request | None) -> Contender | None:
    """Return a neighbour's job as a contender: none of our jobs has a higher priority."""
    return None if request is None else Contender("", LARGEST, request)


def _contender(head: Head, default_mem_mib: int) -> Contender:
    job_class = JobClass.parse(head.class_name, default_mem_mib=default_mem_mib)
    return Contender.of(head.id, job_class, head.time_limit_s, head.needs)


def _fits(
    plan_input: PlanInput, heads: Sequence[Head], jobs: Mapping[str, Contender]
) -> list[tuple[str, int]]:
    found = []
    for head in heads:
        request = jobs[head.id].request
        room = capacity(request, plan_input.offer, min(head.length, CLAIM_MOST))
        short = plan_input.short.get(own_class(head.class_name), ShortClass())
        wanted = room if request.gpus else room + short.refill(room)
        if wanted:
            found.append((head.class_name, min(wanted, head.length)))
    return found


def _starving(
    plan_input: PlanInput, jobs: Iterable[Contender], patience_s: float
) -> Contender | None:
    """Return the best job that has waited too long, has no machine and would fit this one idle."""
    order = {head.id: head.order for head in plan_input.waiting.heads}
    candidates = [
        job
        for job in jobs
        if plan_input.waited_s.get(job.id, 0.0) > patience_s
        and job.id not in plan_input.waiting.reservations
        and could_use(job, plan_input.offer, plan_input.lacks)
        and isinstance(place(job.request, plan_input.offer), Misfit)
    ]
    return min(candidates, key=lambda job: (-job.priority, order[job.id]), default=None)
