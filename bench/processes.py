"""What processes cost, as the kernel counts it: CPU time, memory, writes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Cpu:
    """CPU seconds of a process, and of the children that it has reaped."""

    own_s: float
    children_s: float

    def __sub__(self, earlier: Cpu) -> Cpu:
        return Cpu(self.own_s - earlier.own_s, self.children_s - earlier.children_s)


def cpu(pid: int) -> Cpu:
    """What a process has used so far; see proc_pid_stat(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    ticks = [int(field) for field in fields[11:15]]
    return Cpu((ticks[0] + ticks[1]) * _TICK_S, (ticks[2] + ticks[3]) * _TICK_S)


def memory_mib(pid: int) -> tuple[float, float]:
    """Resident memory, and the share of it that is this process's own (PSS)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
    kib = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    return kib["Rss"] / 1024, kib["Pss"] / 1024


def writes(pid: int) -> int:
    """How many write system calls a process has made; sends on sockets are not among them."""
    lines = Path(f"/proc/{pid}/io").read_text(encoding="ascii").splitlines()
    return int(dict(line.split(": ") for line in lines)["syscw"])


def child_of(pid: int) -> int:
    """The only child of a process."""
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return int(child)
