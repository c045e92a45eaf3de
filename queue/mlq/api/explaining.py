"""Asks the queue for all that `mlq.jobs.explain` needs to say why jobs wait.

This is the edge of that module: it reads machines, heads, reservations and ties, and decides
nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from mlq.files.layout import Layout
from mlq.ids import sweep_number
from mlq.jobs.explain import (
    AskedJob,
    Blocked,
    Conclusion,
    Judgement,
    Paused,
    Situation,
    SweepFull,
    SweepHeld,
    conclude,
    judge,
)
from mlq.jobs.lifecycle import ENDED, State
from mlq.jobs.placement import RunningAttempt
from mlq.jobs.request import JobClass
from mlq.jobs.reservations import Contender
from mlq.jobs.view import FIELDS, JobView, view
from mlq.machines.said import is_over, listed, state_of
from mlq.settings.settings import Settings
from mlq.store.line import Ties, is_being_restored, places, ties
from mlq.store.replies import Head, Waiting
from mlq.store.store import Store
from mlq.units import parse_iso


class Explanation(NamedTuple):
    """Why a job waits.

    Args:
        judgements: what each known machine is to the job.
        ahead: how many queued jobs come before it.
        conclusion: what the job waits for; None unless it is queued.
    """

    judgements: Sequence[Judgement] = ()
    ahead: int = 0
    conclusion: Conclusion | None = None


Machines = Mapping[str, tuple[float, Mapping[str, Any]]]


def explain(
    store: Store, settings: Settings, jobs: Sequence[JobView], now_s: float
) -> list[Explanation]:
    """Return for each job why it waits; for a job that does not wait, no conclusion.

    Args:
        store: the queue.
        settings: of this installation.
        jobs: the jobs.
        now_s: unix time, to compute when running jobs must end.
    """
    asked = [job for job in jobs if job.state not in ENDED and job.state != State.STARTED]
    if not asked:
        return [Explanation() for _ in jobs]
    waiting = store.peek()
    situation = _situation(store, settings, waiting, now_s)
    tied = ties(store, [job.id for job in asked])
    ahead = _ahead(store, waiting, asked, tied)
    restoring, why = is_being_restored(store), store.reads.paused()
    paused = Paused(why) if why else None
    blocked = _blocked(store, {sweep_number(job.id) for job in asked if job.sweep})
    found: dict[str, Explanation] = {}
    for job in asked:
        one = tied[job.id]
        job_class = JobClass.parse(job.class_name, default_mem_mib=settings.default_mem_mib)
        contender = Contender.of(job.id, job_class, job.time_limit_s, one.needs)
        judgements = judge(AskedJob(contender, one.avoids, one.avoids_for_s), situation)
        if job.state == State.QUEUED:
            conclusion = conclude(
                judgements,
                ahead[job.id],
                restoring=restoring,
                blocked=paused or blocked.get(job_class.sweep),
            )
            found[job.id] = Explanation(judgements, ahead[job.id], conclusion)
        else:
            found[job.id] = Explanation(judgements)
    return [found.get(job.id, Explanation()) for job in jobs]


def _blocked(store: Store, numbers: Collection[int]) -> dict[int, Blocked]:
    """Return what keeps members of these sweeps waiting even where there is room."""
    found: dict[int, Blocked] = {}
    for one in store.reads.sweeps([str(number) for number in numbers]) if numbers else ():
        running = one.counts.get(State.STARTED, 0)
        if one.held:
            found[one.number] = SweepHeld(one.number, one.held)
        elif 0 < one.max_running <= running:
            found[one.number] = SweepFull(one.number, running, one.max_running)
    return found


def _situation(store: Store, settings: Settings, waiting: Waiting, now_s: float) -> Situation:
    machines = store.reads.machines()
    reserved = {name for name in waiting.reservations.values() if name in machines}
    return Situation(
        machines=[
            state_of(name, heard_s, record)
            for name, (heard_s, record) in sorted(machines.items())
            if not is_over(record)
        ],
        lease_s=settings.lease_s,
        heads=[_contender(head, settings) for head in waiting.heads],
        reservations=waiting.reservations,
        running={
            name: _running(store, settings, name, machines[name][1], now_s)
            for name in sorted(reserved)
        },
    )


def _contender(head: Head, settings: Settings) -> Contender:
    job_class = JobClass.parse(head.class_name, default_mem_mib=settings.default_mem_mib)
    return Contender.of(head.id, job_class, head.time_limit_s, head.needs)


def _running(
    store: Store, settings: Settings, machine: str, record: Mapping[str, Any], now_s: float
) -> list[RunningAttempt]:
    """Return what runs on a machine; only the machine's worker knows which GPUs each job holds."""
    told = [one[0] for one in listed(record, "attempts") if isinstance(one, list) and one]
    ids = [one for one in told if isinstance(one, str)]
    layout, default_mem_mib = Layout(settings.root), settings.default_mem_mib
    jobs = [view(row, layout, default_mem_mib) for row in store.reads.rows(FIELDS, ids)]
    return [
        RunningAttempt(
            JobClass.parse(job.class_name, default_mem_mib=default_mem_mib).request,
            (),
            None
            if job.time_limit_s is None or job.started_at is None
            else max(0.0, parse_iso(job.started_at) + job.time_limit_s - now_s),
        )
        for job in jobs
        if job.state == State.STARTED and job.machine == machine
    ]


def _ahead(
    store: Store, waiting: Waiting, asked: Sequence[JobView], tied: Mapping[str, Ties]
) -> dict[str, int]:
    """Count the queued jobs that a machine that they fit takes first: by priority, then by place.

    Whole classes are counted by their length; only those of a job's own priority are read.
    """
    queued = [job for job in asked if job.state == State.QUEUED]
    priorities = {
        head.class_name: JobClass.parse(head.class_name, default_mem_mib=1).priority
        for head in waiting.heads
    }
    own = {job.priority for job in queued}
    lines = places(store, [name for name, priority in priorities.items() if priority in own])
    counted = {}
    for job in queued:
        higher = sum(
            one.length for one in waiting.heads if priorities[one.class_name] > job.priority
        )
        beside = (line for name, line in lines.items() if priorities[name] == job.priority)
        before = sum(place < tied[job.id].place for line in beside for place in line)
        counted[job.id] = higher + before
    return counted
