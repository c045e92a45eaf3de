"""The name of a job class, which spells out what its jobs ask for.

It is the name of an rq queue, so any tool that shows rq's queues shows what is waiting for what.
This module is separate from `mlq.jobs.request` because `mlq ls` needs only the names.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_NAME = re.compile(
    r"p(-?\d{1,15})\.c([1-9]\d{0,14})\.m([1-9]\d{0,14})\.g(\d{1,15})\.v(\d{1,15})"
    r"(?:\.t([a-z0-9-]{1,64}))?(?:\.s([1-9]\d{0,11}))?(?:@(.+))?",
    re.ASCII | re.DOTALL,
)
_SIDE_LIST = re.compile(r"(p-?)0+([0-9]+\.c[0-9].*)", re.DOTALL)


def own_class(name: str) -> str:
    """Return the class of which this is a side list; the name itself if it is none.

    The jobs of a class may wait in several rq queues, which spell its priority with more zeros: see
    `lua/_into_line.lua`.
    """
    match = _SIDE_LIST.fullmatch(name)
    return match[1] + match[2] if match else name


class ClassName(NamedTuple):
    """A name taken apart: the priority, then the fields of `mlq.jobs.request.Request`.

    `sweep` is the number of the sweep whose members alone are in the class; 0 for none. So a sweep
    can be held, or have only so many members running, however many wait. Jobs of an older mlq have
    no `gpu_type`, and their classes the same names as ever.
    """

    priority: int
    cores: int
    mem_mib: int
    gpus: int
    vram_mib: int
    machine: str
    sweep: int = 0
    gpu_type: str = ""

    def __str__(self) -> str:
        """Return the name, for example `p0.c4.m8192.g1.v6000.ta100.s1042@gpu*`."""
        glob = f"@{self.machine}" if self.machine else ""
        sweep = f".s{self.sweep}" if self.sweep else ""
        kind = f".t{self.gpu_type}" if self.gpu_type else ""
        asked = f"c{self.cores}.m{self.mem_mib}.g{self.gpus}.v{self.vram_mib}{kind}"
        return f"p{self.priority}.{asked}{sweep}{glob}"

    @classmethod
    @lru_cache(maxsize=256)  # thousands of jobs have few classes
    def parse(cls, name: str, *, default_mem_mib: int) -> ClassName:
        """Take a name apart.

        A queue made with plain rq may have any name: its jobs ask for one core and
        `default_mem_mib`, at priority 0.
        """
        match = _NAME.fullmatch(name)
        if match is None:
            return cls(0, 1, default_mem_mib, 0, 0, "")
        priority, cores, mem_mib, gpus, vram_mib = (int(part) for part in match.groups()[:5])
        kind, sweep, machine = match[6] or "", int(match[7] or 0), match[8] or ""
        return cls(priority, cores, mem_mib, gpus, vram_mib, machine, sweep, kind)
