"""What a job asks of a machine, and the class of jobs that ask the same.

A job class is priority + resource request, and the sweep if there is one. Each class is one rq
queue, whose name spells that out (`mlq.jobs.class_name`), so a claim looks at one head a class
however many jobs wait behind it. Beside a long one there may be side lists, for jobs that went back
into its middle.
"""

from __future__ import annotations

from dataclasses import dataclass

from mlq.jobs.choice_of_machines import TYPE, is_of_type, machines_of
from mlq.jobs.class_name import ClassName

LARGEST = 10**15 - 1
"""The largest number that a class's name can hold."""


@dataclass(frozen=True, slots=True)
class Request:
    """The resources one attempt of a job holds while it runs.

    Args:
        cores: logical cores.
        mem_mib: main memory.
        gpus: number of GPUs.
        vram_mib: free memory needed on each of these GPUs; 0 with gpus > 0 means a GPU to itself.
        machine: globs of machines, and of excluded ones (`mlq.jobs.choice_of_machines`); "" means
            any machine.
        gpu_type: what the model of these GPUs must have in its name; "" means any.

    Raises:
        ValueError: a negative amount, no core or no memory at all, or more than `LARGEST`; or the
            type cannot be part of a class's name.
    """

    cores: int = 1
    mem_mib: int = 1
    gpus: int = 0
    vram_mib: int = 0
    machine: str = ""
    gpu_type: str = ""

    def __post_init__(self) -> None:
        if min(self.cores, self.mem_mib) < 1 or min(self.gpus, self.vram_mib) < 0:
            raise ValueError("a job needs a core and some memory, and no less than 0 GPUs")
        if max(self.cores, self.mem_mib, self.gpus, self.vram_mib) > LARGEST:
            raise ValueError(f"a job can ask for no more than {LARGEST} of anything")

        if self.gpu_type and not TYPE.fullmatch(self.gpu_type):
            raise ValueError(f"{self.gpu_type!r} is no type of GPU: a-z, 0-9 and - are allowed")

    def allows(self, machine: str) -> bool:
        """Return whether the job may run on a machine of this name."""
        return not self.machine or machines_of(self.machine).allows(machine)

    def takes(self, model: str) -> bool:
        """Return whether the job may have a GPU of this model."""
        return not self.gpu_type or is_of_type(model, self.gpu_type)


@dataclass(frozen=True, slots=True)
class JobClass:
    """Jobs of one priority (larger first) that ask for the same, of one sweep or of none (0)."""

    priority: int
    request: Request
    sweep: int = 0

    @property
    def name(self) -> str:
        """The name of its rq queue; see `mlq.jobs.class_name`."""
        ask = self.request
        return str(
            ClassName(
                self.priority,
                ask.cores,
                ask.mem_mib,
                ask.gpus,
                ask.vram_mib,
                ask.machine,
                self.sweep,
                ask.gpu_type,
            )
        )

    @classmethod
    def parse(cls, name: str, *, default_mem_mib: int) -> JobClass:
        """Read a queue's name back; `default_mem_mib` is for queues made with plain rq."""
        asked = ClassName.parse(name, default_mem_mib=default_mem_mib)
        return cls(asked.priority, Request(*asked[1:6], asked.gpu_type), asked.sweep)
