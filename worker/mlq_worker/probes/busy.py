"""How busy the cores of this machine have been, whoever used them."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path


def busy_ticks(proc: Path, cores: Collection[int]) -> dict[int, int]:
    """Return the busy time of cores: all but idle, iowait, and the guests (in user already).

    Fields of proc_stat(5): user nice system idle iowait irq softirq steal guest guest_nice.
    """
    busy = {}
    for line in (proc / "stat").read_bytes().split(b"\nintr", 1)[0].splitlines():
        name, *times = line.split(None, 9)
        if name[:3] == b"cpu" and name[3:].isdigit() and int(name[3:]) in cores:
            busy[int(name[3:])] = sum(map(int, times[0:3])) + sum(map(int, times[5:8]))
    return busy
