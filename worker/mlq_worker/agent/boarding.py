"""What the worker's board says: all that it has promised, is about to claim, and waits for. Pure.

Invariant: from the moment when a claim is decided until its job has ended, the job's resources are
on the board; if it is not known which of several classes the queue will give, the most that any of
them could take.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mlq.jobs.placement import Fit, Offer, place
from mlq.jobs.request import JobClass, Request
from mlq.jobs.reservations import Contender, could_use
from mlq_worker.agent.actions import Action, CommitAndClaim
from mlq_worker.agent.attempts import AttemptTable
from mlq_worker.agent.facts import Facts, Mode
from mlq_worker.agent.local_attempt import LocalAttempt
from mlq_worker.agent.schedule import PlanInput
from mlq_worker.guest.boards.board import Board, BoardJob, Waits, key_of, key_of_lane, summed

NEXT = "next"
"""The key of what is about to be claimed."""


def board_after(facts: Facts, actions: Iterable[Action]) -> Board | None:
    """Return what the board says from now on; None if it must stay as it is.

    It stays while claimed jobs have yet to be started: it speaks of them already.
    """
    if facts.claimed is not None:
        return None
    fits = next((one.fits for one in actions if isinstance(one, CommitAndClaim)), ())
    jobs = jobs_of(facts.attempts, facts.memory_held)
    settings = facts.context.settings
    if fits and facts.plan_input is not None:
        asked = [(_request(name, settings.default_mem_mib), count) for name, count in fits]
        coming = envelope(asked, facts.plan_input.offer, facts.now_s)
        jobs = (*jobs, coming) if coming.cores else jobs
    return Board(facts.process, jobs, _waits(facts, dict(fits)))


def jobs_of(
    attempts: AttemptTable, held_mib: Mapping[int, int] | None = None
) -> tuple[BoardJob, ...]:
    """Return what the attempts of this machine hold; a lane of short jobs is one.

    Args:
        attempts: they.
        held_mib: what each really holds of main memory, by the pid of its first process.
    """
    found: list[BoardJob] = []
    lanes: dict[str, list[BoardJob]] = {}
    for one in attempts.occupying():
        if one.prefetched:
            lanes.setdefault(one.class_name, []).append(_job(one, {}))
        else:
            found.append(_job(one, held_mib or {}))
    for name, jobs in lanes.items():
        found.append(summed(key_of_lane(name), jobs)._replace(since=0.0))
    return tuple(found)


def _job(one: LocalAttempt, held_mib: Mapping[int, int]) -> BoardJob:
    return BoardJob(
        key_of(one.attempt),
        one.request.cores,
        one.request.mem_mib,
        dict.fromkeys(one.gpu_uuids, one.request.vram_mib),
        one.started_s,
        held_mib=held_mib.get(one.leader_pid or 0),
    )


def envelope(asked: Sequence[tuple[Request, int]], offer: Offer, at: float) -> BoardJob:
    """Return what a claim may take at most: jobs of one of these classes, so many of each."""
    cores = mem_mib = 0
    vram_mib: dict[str, int] = {}
    for request, count in asked:
        left = offer
        taken: dict[str, int] = {}
        number = 0
        while number < count and isinstance(fit := place(request, left), Fit):
            left, number = left.after(request, fit), number + 1
            for uuid in fit.gpu_uuids:
                taken[uuid] = taken.get(uuid, 0) + request.vram_mib
        cores, mem_mib = max(cores, number * request.cores), max(mem_mib, number * request.mem_mib)
        for uuid, mib in taken.items():
            whole = mib == 0 or vram_mib.get(uuid) == 0
            vram_mib[uuid] = 0 if whole else max(mib, vram_mib.get(uuid, 0))
    return BoardJob(NEXT, cores, mem_mib, vram_mib, at)


def _waits(facts: Facts, fits: Mapping[str, int]) -> Waits | None:
    """Return what the first job waits for that is not about to be claimed."""
    if facts.mode is not Mode.RUN or facts.obstacle or not facts.has_heads:
        return None
    if facts.plan_input is None:
        return None if facts.shown is None else facts.shown.waits
    return next_waiting(facts.plan_input, fits, facts.context.settings.default_mem_mib, facts.now_s)


def next_waiting(
    plan_input: PlanInput, fits: Mapping[str, int], default_mem_mib: int, at: float
) -> Waits | None:
    """Return what the first job waits for that could run here and is not about to be claimed."""
    found: list[tuple[int, float, Contender]] = []
    for head in plan_input.waiting.heads:
        job_class = JobClass.parse(head.class_name, default_mem_mib=default_mem_mib)
        job = Contender.of(head.id, job_class, head.time_limit_s, head.needs)
        is_coming = fits.get(head.class_name, 0) >= head.length
        if not is_coming and could_use(job, plan_input.offer, plan_input.lacks):
            found.append((-job.priority, head.order, job))
    if not found:
        return None
    job = min(found, key=lambda one: one[:2])[2]
    request = job.request
    return Waits(
        key_of((job.id, 0)),
        request.cores,
        request.mem_mib,
        request.gpus,
        request.vram_mib,
        request.gpu_type,
        max(0.0, round(at - plan_input.waited_s.get(job.id, 0.0))),
    )


def _request(class_name: str, default_mem_mib: int) -> Request:
    return JobClass.parse(class_name, default_mem_mib=default_mem_mib).request
