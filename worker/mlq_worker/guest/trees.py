"""The processes of each job, their resident memory and CPU time, once a second, for little.

To read all of /proc takes milliseconds on a machine with hundreds of processes. A job's processes
cannot leave its keeper and no others can come to it (`keeper`), so a process belongs to a job from
its first moment on, or never. So only new processes are asked for their parent, and only those of
jobs are read again. Invariant: pid and start time together name a process; a pid that was given to
another is a new process.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from mlq_worker.ipc.procfs import Target
from mlq_worker.probes.process_table import PROC

_PAGE_MIB = os.sysconf("SC_PAGE_SIZE") / 2**20
_ANEW_S = 30.0  # a fork bomb goes through all pids in less: then all are read anew


class Member(NamedTuple):
    """A process of a job.

    Args:
        pid: its number.
        start: its start, in clock ticks since boot.
        rss_mib: its resident memory.
        cpu_ticks: the CPU time that it used, and that of the children that it waited for.
    """

    pid: int
    start: int
    rss_mib: float
    cpu_ticks: int = 0


class _Seen(NamedTuple):
    parent: int
    start: int
    rss_mib: float
    cpu_ticks: int


class Trees:
    """Finds the processes below keepers.

    Args:
        proc: where procfs is.
    """

    def __init__(self, proc: Path = PROC) -> None:
        self._proc = os.fspath(proc)
        self._owner: dict[int, int] = {}  # of each pid: its keeper's, 0 if it is of no job
        self._start: dict[int, int] = {}  # of the processes of jobs
        self._keepers: frozenset[Target] = frozenset()
        self._anew_at = 0.0

    def look(self, keepers: Collection[Target], at: float) -> dict[int, list[Member]]:
        """Return the processes below each keeper, by the keeper's pid.

        Args:
            keepers: of the jobs that matter.
            at: seconds of a clock that never goes back.
        """
        if frozenset(keepers) != self._keepers or at >= self._anew_at:
            self._owner, self._start = {}, {}
            self._keepers, self._anew_at = frozenset(keepers), at + _ANEW_S
        pids = {int(name) for name in os.listdir(self._proc) if name.isdigit()}  # noqa: PTH208 - names
        for gone in self._owner.keys() - pids:
            del self._owner[gone]
            self._start.pop(gone, None)
        seen = self._members()
        seen |= self._new(pids - self._owner.keys())
        found: dict[int, list[Member]] = {one.pid: [] for one in keepers if one.pid}
        for pid, one in seen.items():
            owner = self._owner.get(pid, 0)
            if owner and one.rss_mib:  # a zombie has none
                found[owner].append(Member(pid, *one[1:]))
        return found

    def look_at(self, pid: int) -> Member | None:
        """Return any process; None if it has ended."""
        return look_at(self._proc, pid)

    def _members(self) -> dict[int, _Seen]:
        """Read again what belongs to jobs; forget a pid that belongs to another process now."""
        found = {}
        for pid, start in list(self._start.items()):
            one = self._read(pid)
            if one is not None and one.start == start:
                found[pid] = one
            else:
                del self._owner[pid], self._start[pid]
        return found

    def _new(self, pids: set[int]) -> dict[int, _Seen]:
        found = {pid: one for pid in pids if (one := self._read(pid)) is not None}
        keepers = {one.pid: one.pid_start for one in self._keepers if one.pid}
        live = {pid for pid, start in keepers.items() if self._is_there(pid, start)}
        for pid in pids - found.keys():
            self._owner[pid] = 0  # it has ended, or this /proc hides it
        for pid, seen in found.items():
            chain, at = [pid], seen.parent
            while at in found and at not in keepers and at not in self._owner and at not in chain:
                chain.append(at)
                at = found[at].parent
            owner = at if at in live else self._owner.get(at, 0)
            for each in chain:
                self._owner[each] = 0 if each in keepers else owner
                if self._owner[each]:
                    self._start[each] = found[each].start
        return found

    def _is_there(self, pid: int, start: int | None) -> bool:
        seen = self._read(pid)
        return seen is not None and start in (None, seen.start)

    def _read(self, pid: int) -> _Seen | None:
        return _read(self._proc, pid)


def look_at(proc: str, pid: int) -> Member | None:
    """Return any process; None if it has ended, or this /proc hides it."""
    seen = _read(proc, pid)
    return None if seen is None else Member(pid, *seen[1:])


def _read(proc: str, pid: int) -> _Seen | None:
    try:
        descriptor = os.open(f"{proc}/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
        try:
            line = os.read(descriptor, 4096)
        finally:
            os.close(descriptor)
        fields = line[line.rindex(b")") + 2 :].split(None, 22)
        ticks = sum(map(int, fields[11:15]))
        return _Seen(int(fields[1]), int(fields[19]), int(fields[21]) * _PAGE_MIB, ticks)
    except (OSError, ValueError, IndexError):
        return None  # it has ended, or this /proc hides it
