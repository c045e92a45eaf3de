"""What to claim, and whether to drain for a job that starves: pure.

The worker offers what is free; the queue shows the head of each class of waiting jobs. A class
fits if `placement.place` says so. Then two rules beyond first-fit:

* Starvation. A stream of small jobs could keep a big one waiting for ever, since there is always
  room for one more small one. A job that waits longer than `patience_s`, and would fit this
  machine if it were empty, reserves one machine. That machine takes nothing else any more, except
  jobs whose time limit ends before the reservation can begin (conservative backfilling). It claims
  the very jobs that were judged: the next in line of the same class may have no time limit.
* Prefetch. Of classes whose jobs are very short some are claimed ahead (`prefetch`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mlq.jobs.placement import Fit, Misfit, Offer, RunningAttempt, free_in_s, how_many, place
from mlq.jobs.request import JobClass
from mlq.store.replies import Head, Waiting
from mlq_worker.agent.prefetch import ShortClass

CLAIM_MOST = 64


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do about the waiting jobs.

    Args:
        fits: (class name, how many to claim at most).
        reserve: the starving job this machine should reserve itself for, or None.
        only: the jobs that may be claimed; None: whichever are first in their classes by then.
    """

    fits: tuple[tuple[str, int], ...] = ()
    reserve: str | None = None
    only: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class PlanInput:
    """What the worker knows when it plans.

    Args:
        waiting: the heads of the classes, and the reservations in force.
        offer: what this machine has free.
        occupants: what runs on it.
        short: the classes of short jobs, by name.
        waited_s: how long each head has waited, by job id.
        lacks: words of what is missing here; a job that needs one of these reserves nothing.
    """

    waiting: Waiting
    offer: Offer
    occupants: Sequence[RunningAttempt]
    waited_s: Mapping[str, float]
    short: Mapping[str, ShortClass] = field(default_factory=dict)
    lacks: frozenset[str] = frozenset()


def plan(plan_input: PlanInput, patience_s: float, default_mem_mib: int) -> Plan:
    """Decide what to claim now."""
    machine = plan_input.offer.machine
    classes = {
        head.id: JobClass.parse(head.class_name, default_mem_mib=default_mem_mib)
        for head in plan_input.waiting.heads
    }
    mine = [job for job, holder in plan_input.waiting.reservations.items() if holder == machine]
    able = [head for head in plan_input.waiting.heads if _fits_empty(head, plan_input, classes)]
    reserved = next((head for head in able if head.id in mine), None)
    starving = reserved or _starving(plan_input, able, classes, patience_s)
    if starving is None:
        return Plan(tuple(_fits(plan_input, plan_input.waiting.heads, classes)))
    wanted = classes[starving.id].request
    if isinstance(place(wanted, plan_input.offer), Fit):
        return Plan(((starving.class_name, 1),), starving.id, frozenset({starving.id}))
    begins_s = free_in_s(wanted, plan_input.offer, plan_input.occupants)
    ahead = [
        head
        for head in plan_input.waiting.heads
        if _goes_before(head, starving, classes)
        or (begins_s is not None and (head.time_limit_s or begins_s + 1) <= begins_s)
    ]
    fits = tuple((name, 1) for name, _ in _fits(plan_input, ahead, classes))
    return Plan(fits, starving.id, frozenset(head.id for head in ahead))


def _fits(
    plan_input: PlanInput, heads: Sequence[Head], classes: Mapping[str, JobClass]
) -> list[tuple[str, int]]:
    found = []
    for head in heads:
        request = classes[head.id].request
        room = how_many(request, plan_input.offer, min(head.length, CLAIM_MOST))
        short = plan_input.short.get(head.class_name, ShortClass())
        wanted = room if request.gpus else room + short.refill(room)
        if wanted:
            found.append((head.class_name, min(wanted, head.length)))
    return found


def _fits_empty(head: Head, plan_input: PlanInput, classes: Mapping[str, JobClass]) -> bool:
    if not plan_input.lacks.isdisjoint(head.needs.split()):
        return False
    return isinstance(place(classes[head.id].request, plan_input.offer.emptied()), Fit)


def _starving(
    plan_input: PlanInput, able: Sequence[Head], classes: Mapping[str, JobClass], patience_s: float
) -> Head | None:
    """Return the best job that waited too long, has no machine and would fit this one empty."""
    candidates = [
        head
        for head in able
        if plan_input.waited_s.get(head.id, 0.0) > patience_s
        and head.id not in plan_input.waiting.reservations
        and isinstance(place(classes[head.id].request, plan_input.offer), Misfit)
    ]
    return min(candidates, key=lambda head: _rank(head, classes), default=None)


def _rank(head: Head, classes: Mapping[str, JobClass]) -> tuple[int, float]:
    return -classes[head.id].priority, head.order


def _goes_before(head: Head, starving: Head, classes: Mapping[str, JobClass]) -> bool:
    """Whether a job outranks the starving one by its priority; age alone does not."""
    return classes[head.id].priority > classes[starving.id].priority
