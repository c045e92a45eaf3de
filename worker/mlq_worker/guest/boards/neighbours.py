"""The other queues on this machine, of other users or of ours, as their boards tell: pure.

A queue has two boards: its supervisor's says what runs and lives as long as that; its worker's says
all that was promised, what is about to be claimed, and what waits. Invariant: a job that is on both
counts once, so that there is no moment between claim and start in which it is on neither.
Short jobs of one class, a lane, share a key.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mlq_worker.guest.boards.board import BoardJob, Waits, summed
from mlq_worker.guest.boards.boards import Posted
from mlq_worker.probes.machine import Promise


class Neighbour(NamedTuple):
    """A queue on this machine that is not ours: what it holds and what its next job waits for."""

    uid: int
    queue: str
    jobs: tuple[BoardJob, ...] = ()
    waits: Waits | None = None


def neighbours_of(posted: Iterable[Posted]) -> tuple[Neighbour, ...]:
    """Return the neighbours whose boards these are."""
    found: dict[tuple[int, str], Neighbour] = {}
    for name, board in sorted(posted, key=lambda one: one.name):  # the supervisor's comes first
        one = found.get((name.uid, name.queue), Neighbour(name.uid, name.queue))
        jobs = _merged(one.jobs, board.jobs) if name.is_next else board.jobs
        found[name.uid, name.queue] = one._replace(jobs=jobs, waits=board.waits)
    return tuple(found.values())


def _merged(running: Sequence[BoardJob], promised: Sequence[BoardJob]) -> tuple[BoardJob, ...]:
    """Return what runs and, of what was promised, what does not run yet."""
    by_key: dict[str, list[BoardJob]] = {}
    for job in running:
        by_key.setdefault(job.key, []).append(job)
    held_mib = {job.key: job.held_mib for job in promised}
    found = [job._replace(held_mib=held_mib.get(job.key)) for job in running]
    for job in promised:
        rest = _rest(job, by_key.get(job.key, ()))
        if rest.cores or rest.mem_mib or rest.vram_mib:
            found.append(rest)
    return tuple(found)


def _rest(job: BoardJob, running: Sequence[BoardJob]) -> BoardJob:
    """Return what of a promise is left: a lane of short jobs has several that run."""
    if not running:
        return job
    sofar = summed(job.key, running)
    return job._replace(
        cores=max(0, job.cores - sofar.cores),
        mem_mib=max(0, job.mem_mib - sofar.mem_mib),
        vram_mib={gpu: mib for gpu, mib in job.vram_mib.items() if gpu not in sofar.vram_mib},
    )


def promises_of(neighbours: Iterable[Neighbour], at: float, patience_s: float) -> list[Promise]:
    """Return what neighbours were promised.

    Args:
        neighbours: they.
        at: boot time, in seconds.
        patience_s: after so long what is promised and unused counts no more: to say that one needs
            a machine costs nothing.
    """
    found = []
    for neighbour in neighbours:
        for job in neighbour.jobs:
            is_firm = at - min(job.since, at) < patience_s
            pids = () if job.process is None else (job.process.pid,)
            amounts = sorted(set(job.vram_mib.values())) or [0]
            for number, mib in enumerate(amounts):
                found.append(
                    Promise(
                        leader_pids=pids,
                        cores=0 if number else job.cores,
                        mem_mib=0 if number else job.mem_mib,
                        gpu_uuids=tuple(gpu for gpu, its in job.vram_mib.items() if its == mib),
                        vram_mib=mib,
                        is_ours=False,
                        is_firm=is_firm,
                        held_mib=None if number else job.held_mib,
                    )
                )
    return found


def processes_of(neighbours: Iterable[Neighbour]) -> frozenset[int]:
    """Return the keepers of neighbours' jobs: all processes of these jobs are below them."""
    return frozenset(
        job.process.pid for one in neighbours for job in one.jobs if job.process is not None
    )


def cores_of(neighbours: Iterable[Neighbour]) -> frozenset[int]:
    """Return the numbers of the cores to which neighbours' jobs are pinned."""
    return frozenset(core for one in neighbours for job in one.jobs for core in job.on)


def share_of(jobs: Sequence[BoardJob], cores: int, vram_mib: dict[str, int]) -> float:
    """Return which share of a machine jobs hold: of its cores, and each GPU as one more share.

    Args:
        jobs: they.
        cores: that the machine has.
        vram_mib: the memory of each of its GPUs.
    """
    share = sum(job.cores for job in jobs) / max(1, cores)
    for uuid, total in vram_mib.items():
        held = sum(job.vram_mib[uuid] or total for job in jobs if uuid in job.vram_mib)
        share += min(1.0, held / max(1, total)) / len(vram_mib)
    return share
