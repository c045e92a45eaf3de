"""Memory of this machine, and how much of it each of our attempts really holds.

A process's resident size misleads twice. Pages shared after a fork count in each process: a
trainer with eight data loaders seems to use its data set nine times. And pages of a mapped file
count although the kernel can drop them, so that MemAvailable counts them too. Either way a promise
would look used up that is not, and the same memory would be promised twice. Invariant: what an
attempt uses is memory that cannot be dropped, and shared pages of it count once. The kernel walks
the page tables to tell, so each process is measured once a minute or when it has grown, and in
between its resident size is scaled.

What the machine has counts only as far as the limits of our cgroups go (`cgroup_memory`).
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from mlq_worker.probes.cgroup_memory import CGROUPS, rooms
from mlq_worker.probes.process_table import PROC, Process, ProcessTable

MEASURE_EVERY_S = 60.0
GROWTH = 1.25
SMALL_MIB = 16.0  # too small to be worth measuring
PAGE_MIB = os.sysconf("SC_PAGE_SIZE") / 2**20


@dataclass(frozen=True, slots=True)
class MemoryReport:
    """Memory of the machine, what is available, and what each leader's process tree uses.

    `own_mib` is what mlq's own processes use, if that was asked for.
    """

    total_mib: int
    available_mib: int
    used_by: dict[int, int] = field(default_factory=dict)
    own_mib: int = 0


@dataclass(frozen=True, slots=True)
class _Measured:
    """How much of a process's resident memory it holds for itself, and when that was measured."""

    held_mib: float
    rss_mib: float
    at_s: float

    def is_fresh(self, rss_mib: float, now_s: float) -> bool:
        return now_s - self.at_s < MEASURE_EVERY_S and rss_mib <= self.rss_mib * GROWTH


class MemoryProbe:
    """Reads memory; remembers between calls what it measured of each process.

    Args:
        proc: where procfs is.
        cgroups: where the file systems of cgroups are mounted.
    """

    def __init__(self, proc: Path = PROC, cgroups: Path = CGROUPS) -> None:
        self._proc, self._cgroups = proc, cgroups
        self._measured: dict[tuple[int, int], _Measured] = {}

    def read(
        self,
        now_s: float,
        table: ProcessTable,
        leader_pids: Iterable[int],
        own_pids: Iterable[int] = (),
    ) -> MemoryReport:
        """Read the machine's memory, and that of each leader's tree (0 if it has ended).

        Args:
            now_s: a monotonic clock.
            table: the processes at `now_s`.
            leader_pids: the first process of each of our attempts.
            own_pids: roots of mlq's own process trees, to measure these too, without the attempts.
        """
        leaders = list(leader_pids)
        trees: defaultdict[int, list[Process]] = defaultdict(list)
        for pid, leader in table.owners(leaders).items():
            trees[leader].append(table.processes[pid])
        jobs = {process.pid for tree in trees.values() for process in tree}
        own = [table.processes[pid] for pid in table.owners(own_pids) if pid not in jobs]
        alive = {_name(process) for tree in (*trees.values(), own) for process in tree}
        self._measured = {name: self._measured[name] for name in self._measured.keys() & alive}
        total_mib, available_mib = self._machine()
        used_by = {
            leader: round(sum(self._held_mib(process, now_s) for process in trees[leader]))
            for leader in leaders
        }
        own_mib = round(sum(self._held_mib(process, now_s) for process in own))
        return MemoryReport(total_mib, available_mib, used_by, own_mib)

    def _machine(self) -> tuple[int, int]:
        lines = (self._proc / "meminfo").read_text(encoding="ascii").splitlines()
        kib = {
            name: int(rest.split()[0]) for name, _, rest in (one.partition(":") for one in lines)
        }
        limits = rooms(self._proc, self._cgroups)
        total_mib = min([kib["MemTotal"] // 1024, *(one.limit_mib for one in limits)])
        available_mib = min([kib["MemAvailable"] // 1024, *(one.free_mib for one in limits)])
        return total_mib, available_mib

    def _held_mib(self, process: Process, now_s: float) -> float:
        rss_mib = process.rss_pages * PAGE_MIB
        if rss_mib < SMALL_MIB:
            return rss_mib
        measured = self._measured.get(_name(process))
        if measured is None or not measured.is_fresh(rss_mib, now_s):
            measured = _Measured(self._measure_mib(process.pid, rss_mib), rss_mib, now_s)
            self._measured[_name(process)] = measured
        return measured.held_mib * rss_mib / measured.rss_mib

    def _measure_mib(self, pid: int, rss_mib: float) -> float:
        """Sum anonymous and tmpfs memory, shared pages in proportion; see proc(5), smaps_rollup.

        Kernels that do not tell them apart (before 5.3) give all of the proportional set size;
        where we may not look, the resident size stands in.
        """
        try:
            lines = (self._proc / str(pid) / "smaps_rollup").read_bytes().splitlines()[1:]
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            return rss_mib
        kib = {
            name: int(rest.split()[0]) for name, _, rest in (one.partition(b":") for one in lines)
        }
        if b"Pss_Anon" in kib:
            return (kib[b"Pss_Anon"] + kib[b"Pss_Shmem"]) / 1024
        return kib[b"Pss"] / 1024 if b"Pss" in kib else rss_mib


def _name(process: Process) -> tuple[int, int]:
    return process.pid, process.start_ticks
