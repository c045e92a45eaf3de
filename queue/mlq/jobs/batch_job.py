"""What a job keeps of the batch system that it was written for: Slurm, PBS or HTCondor.

Such a job runs on mlq as any other. What is kept here decides only how it sees itself: which
variables it gets (`SLURM_*`, `PBS_*`) and into which files its output goes. It is part of the
signed text, so a default must never change (`mlq.jobs.spec`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

if TYPE_CHECKING:
    from annotated_types import Ge, Le, MaxLen

System = Literal["slurm", "pbs", "condor"]

SCRIPT_CHARS = 1 << 20
"""The longest script that a job may carry."""


@dataclass(frozen=True, kw_only=True)
class Streams:
    """The user's own files for what a job writes, beside its log.

    The names may hold Slurm's patterns (`%j`, `%A_%a`, `%N`, with widths), which the worker fills
    in. They are absolute.

    Args:
        output: of standard output, and of standard error if `error` is empty; "" for none.
        error: of standard error, if that is to be apart.
        appends: whether a later attempt appends; else it begins anew.
    """

    output: str = ""
    error: str = ""
    appends: bool = False


@dataclass(frozen=True, kw_only=True)
class BatchJob:
    """What a job is told of itself in its batch system's words.

    Args:
        system: whose words.
        tasks: how many tasks (ranks) it asked for; 0 if it did not ask.
        cpus_per_task: as asked; 0 if it did not ask.
        gpus_per_task: as asked; 0 if it did not ask.
        partition: the partition, queue or account that it named; "" if none.
        submit_host, submit_dir: where it was submitted.
        umask: of the process that submitted it: files that are made for its user have it.
        array: the task numbers of its array as typed, without `%N`; "" if it is no array.
    """

    system: System
    tasks: Annotated[int, Ge(0)] = 0
    cpus_per_task: Annotated[int, Ge(0)] = 0
    gpus_per_task: Annotated[int, Ge(0)] = 0
    partition: str = ""
    submit_host: str = ""
    submit_dir: str = ""
    umask: Annotated[int, Ge(0), Le(0o777)] = 0o77
    array: Annotated[str, MaxLen(SCRIPT_CHARS)] = ""
