"""What a pilot will offer, read from the options for its system, and how many jobs wait for that.

The options are those of a job file, so the parsers of job files read them. What they do not say
counts as enough: the pilot may still be too small for a job, and then ends idle; but a pilot that
is never submitted would leave the job waiting for ever.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from dataclasses import replace

from mlq.errors import InvalidInputError
from mlq.jobs.placement import GpuOffer, Offer
from mlq.jobs.request import JobClass
from mlq.jobs.reservations import Contender, could_use
from mlq.pilots.pool import Pool
from mlq.scripts import condor, pbs
from mlq.scripts.script_job import ScriptJob
from mlq.scripts.slurm.parsing import parse as parse_slurm
from mlq.scripts.where import Where
from mlq.store.replies import Head
from mlq.units import parse_iso

LEAD_S = 90.0
"""A worker takes no job that would last longer than up to so long before its allocation's end."""
_ENOUGH = 10**9
_WHERE = Where("ARGS", "/")


def offer_of(pool: Pool) -> Offer:
    """Return what a pilot of this pool offers, with nothing running on it."""
    job = _read(pool)
    cores = _ENOUGH if job is None else job.cores
    mem_mib = _ENOUGH if job is None or job.mem_mib is None else job.mem_mib
    gpus = 0 if job is None else job.gpus
    kind = "" if job is None else job.gpu_type
    return Offer(
        machine=f"{pool.system}-pilot",
        cores=cores,
        mem_mib=mem_mib,
        gpus=tuple(
            GpuOffer(f"gpu-{index}", kind, _ENOUGH, _ENOUGH, index=index) for index in range(gpus)
        ),
        total_cores=cores,
        total_mem_mib=mem_mib,
        left_s=pool.time_s - LEAD_S,
    )


Behind = Callable[[Head], Iterable[Head]]
"""Returns jobs that wait behind the first of their class, each as if it were alone."""


def waiting(
    pool: Pool,
    heads: Iterable[Head],
    now_s: float,
    default_mem_mib: int,
    behind: Behind = lambda _: (),
) -> int:
    """Return how many jobs have waited long enough that a pilot of this pool could run.

    The jobs of a class ask for the same, so the first stands for all; only if its time limit is
    too long, those behind it are judged one by one.

    Args:
        pool: the pool.
        heads: the first waiting job of each class.
        now_s: unix time by the queue's clock.
        default_mem_mib: the setting of that name.
        behind: looks up those that wait behind.
    """
    offer = offer_of(pool)
    found = 0
    for head in heads:
        job_class = JobClass.parse(head.class_name, default_mem_mib=default_mem_mib)
        if all(not gpu.name for gpu in offer.gpus):  # their model is not known
            job_class = replace(job_class, request=replace(job_class.request, gpu_type=""))
        job = Contender.of(head.id, job_class, head.time_limit_s, head.needs)
        if could_use(job, offer, ()):
            found += head.length * (_waited_s(head, now_s) >= pool.after_s)
        elif head.length > 1 and could_use(job._replace(time_limit_s=None), offer, ()):
            found += sum(
                could_use(job._replace(time_limit_s=one.time_limit_s), offer, ())
                and _waited_s(one, now_s) >= pool.after_s
                for one in behind(head)
            )
    return found


def _waited_s(head: Head, now_s: float) -> float:
    try:
        return now_s - parse_iso(head.enqueued_at)
    except InvalidInputError:
        return 0.0


def _read(pool: Pool) -> ScriptJob | None:
    """Return what the options ask for; None if the parser does not know one of them."""
    try:
        if pool.system == "slurm":
            lines = "".join(f"#SBATCH {shlex.quote(one)}\n" for one in _joined(pool.args))
            return parse_slurm(f"#!/bin/sh\n{lines}", _WHERE)
        if pool.system == "pbs":
            words = " ".join(shlex.quote(one) for one in pool.args)
            return pbs.parse(f"#!/bin/sh\n#PBS {words}\n", _WHERE)
        told = "\n".join(pool.args)
        return condor.parse(f"executable = pilot\n{told}\nqueue\n", _WHERE)
    except InvalidInputError:
        return None


def _joined(args: tuple[str, ...]) -> list[str]:
    """Return options with the values that were typed as words of their own: `-c 4` -> `-c4`."""
    found: list[str] = []
    for one in args:
        if one.startswith("-") or not found:
            found.append(one)
        elif found[-1].startswith("--"):
            found[-1] = f"{found[-1]}={one}"
        else:
            found[-1] += one
    return found
