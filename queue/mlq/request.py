"""What a job asks of a machine, and the class of jobs that ask the same.

A job class is priority + resource request. Each class is one rq queue, whose name spells the
request out, so a claim looks at one head a class however many jobs wait behind it, and any tool
that shows rq's queues shows what is waiting for what.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

LARGEST = 10**15 - 1
"""The largest number that the name of a class can spell."""

_NAME = re.compile(
    r"p(-?\d{1,15})\.c([1-9]\d{0,14})\.m([1-9]\d{0,14})\.g(\d{1,15})\.v(\d{1,15})(?:@(.+))?",
    re.ASCII | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Request:
    """The resources one attempt of a job holds while it runs.

    Args:
        cores: logical cores.
        mem_mib: main memory.
        gpus: number of GPUs.
        vram_mib: free memory needed on each of these GPUs; 0 with gpus > 0 means a GPU to itself.
        machine: a glob that the machine's name must match; "" means any.

    Raises:
        ValueError: a negative amount, no core or no memory at all, or more than `LARGEST`.
    """

    cores: int = 1
    mem_mib: int = 1
    gpus: int = 0
    vram_mib: int = 0
    machine: str = ""

    def __post_init__(self) -> None:
        # Not by annotations: importing those would take a third of the time `mlq ls` may take.
        if min(self.cores, self.mem_mib) < 1 or min(self.gpus, self.vram_mib) < 0:
            raise ValueError("a job needs a core and some memory, and no less than 0 GPUs")
        if max(self.cores, self.mem_mib, self.gpus, self.vram_mib) > LARGEST:
            raise ValueError(f"a job can ask for no more than {LARGEST} of anything")

    def allows(self, machine: str) -> bool:
        """Whether the job may run on a machine of this name."""
        return not self.machine or fnmatchcase(machine, self.machine)


@dataclass(frozen=True, slots=True)
class JobClass:
    """Jobs of one priority (larger first) that ask for the same."""

    priority: int
    request: Request

    @property
    def name(self) -> str:
        """The name of its rq queue, for example `p0.c4.m8192.g1.v6000@gpu*`."""
        ask = self.request
        glob = f"@{ask.machine}" if ask.machine else ""
        return f"p{self.priority}.c{ask.cores}.m{ask.mem_mib}.g{ask.gpus}.v{ask.vram_mib}{glob}"

    @classmethod
    def parse(cls, name: str, *, default_mem_mib: int) -> JobClass:
        """Read a queue's name back.

        A queue that somebody made with plain rq has any name: its jobs ask for one core and
        `default_mem_mib`, at priority 0.
        """
        match = _NAME.fullmatch(name)
        if match is None:
            return cls(0, Request(mem_mib=default_mem_mib))
        priority, cores, mem_mib, gpus, vram_mib = (int(part) for part in match.groups()[:5])
        return cls(priority, Request(cores, mem_mib, gpus, vram_mib, match.group(6) or ""))
