"""One pass over `/proc` that every probe of a sample shares.

The core, memory and GPU probes all ask "whose process is this?". The answer comes from one table,
so that a sample costs one scan (about 13 us a process) and its parts agree with each other.
Invariants: a process that ends while it is being read is left out, never half read; the kernel's
own threads, which are nobody's and often more than half of all, are left out too.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")

_KERNEL_THREAD = 0x00200000  # the flag PF_KTHREAD of the kernel's sched.h; see proc_pid_stat(5)


class Process(NamedTuple):
    """One process; a tuple, because hundreds are made in every sample."""

    pid: int
    parent_pid: int
    session: int
    cpu_ticks: int  # user and system time, its own and that of the children it has reaped
    start_ticks: int  # since boot; with the pid it names a process for good
    rss_pages: int


@dataclass(frozen=True, slots=True)
class ProcessTable:
    """The processes of this machine at one instant, by pid."""

    processes: Mapping[int, Process]

    def owners(self, leader_pids: Iterable[int]) -> dict[int, int]:
        """Map the pid of each process that belongs to a leader to that leader's pid.

        A process belongs to the leader whose session it is in, also when its parents ended and it
        was handed to another parent, or else to its nearest ancestor that belongs to one.
        """
        leaders = set(leader_pids)
        children: defaultdict[int, list[int]] = defaultdict(list)
        owners: dict[int, int] = {}
        for process in self.processes.values():
            children[process.parent_pid].append(process.pid)
            if process.pid in leaders:
                owners[process.pid] = process.pid
            elif process.session in leaders:
                owners[process.pid] = process.session
        found = list(owners)
        while found:
            pid = found.pop()
            for child in children[pid]:
                if child not in owners:
                    owners[child] = owners[pid]
                    found.append(child)
        return owners


class Scanner:
    """Reads the process table again and again; a kernel thread only the first time.

    Args:
        proc: where procfs is.
    """

    def __init__(self, proc: Path = PROC) -> None:
        self._root = os.fspath(proc)
        self._kernel: dict[str, int] = {}

    def scan(self) -> ProcessTable:
        """Read the process table; the fields are those of proc_pid_stat(5)."""
        processes: dict[int, Process] = {}
        kernel: dict[str, int] = {}
        with os.scandir(self._root) as entries:
            for entry in entries:
                name = entry.name
                if not name.isdigit():
                    continue
                # Another process under the same number is another inode.
                if self._kernel.get(name) == entry.inode():
                    kernel[name] = entry.inode()
                    continue
                line = _line(f"{self._root}/{name}/stat")
                if line is None:
                    continue
                # A command's name may itself hold blanks and brackets: fields count from its end.
                fields = line[line.rindex(b")") + 2 :].split(None, 22)
                if int(fields[6]) & _KERNEL_THREAD:
                    kernel[name] = entry.inode()
                else:
                    processes[int(name)] = _process(int(name), fields)
        self._kernel = kernel
        return ProcessTable(processes)


def scan(proc: Path = PROC) -> ProcessTable:
    """Read the process table once; see `Scanner`."""
    return Scanner(proc).scan()


def _line(path: str) -> bytes | None:
    try:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            return os.read(descriptor, 4096)
        finally:
            os.close(descriptor)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None  # it has ended, or this /proc hides it


def _process(pid: int, fields: list[bytes]) -> Process:
    return Process(
        pid=pid,
        parent_pid=int(fields[1]),
        session=int(fields[3]),
        cpu_ticks=sum(map(int, fields[11:15])),
        start_ticks=int(fields[19]),
        rss_pages=int(fields[21]),
    )
