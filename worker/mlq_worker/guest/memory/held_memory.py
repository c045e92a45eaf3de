"""How much memory a job's processes hold, as exactly as the kernel can tell.

Counted is what cannot be dropped, as in `mlq_worker.probes.memory`: anonymous memory and shared
memory, pages that several processes share once; not the pages of mapped files. To tell, the kernel
walks the page tables, and waits for a lock of the process, which one that hangs in NFS may hold for
ever. So this is for threads, and only jobs near their limit are measured.

A file that a job holds open in /dev/shm counts too, if none of its processes maps it: nothing else
says whose memory that is.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from mlq_worker.guest.trees import Member
from mlq_worker.probes.process_table import PROC

SHARED = "/dev/shm"  # noqa: S108 - that is what this is about
_FRESH_S, _GROWTH = 60.0, 1.25


def shared_mib(folder: str = SHARED) -> float:
    """Return how much memory all files in /dev/shm take, whoever's they are."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return 0.0
    return (found.f_blocks - found.f_bfree) * found.f_frsize / 2**20


class HeldMemory:
    """Measures one job; remembers what it measured. For one thread at a time.

    Args:
        proc: where procfs is.
        shared: where files of shared memory lie.
    """

    def __init__(self, proc: Path = PROC, shared: str = SHARED) -> None:
        self._proc, self._shared = os.fspath(proc), shared
        self._shares: dict[tuple[int, int], tuple[float, float, float]] = {}

    def exceeds(self, members: Sequence[Member], limit_mib: float, at: float) -> float | None:
        """Return exactly what the processes hold if it is more than the limit; else None.

        Args:
            members: the job's processes.
            limit_mib: what they may hold.
            at: seconds of a clock that never goes back.
        """
        bounds = {one: self._bound_mib(one) for one in members}
        lying = self._lying_mib(members) if shared_mib(self._shared) >= 1 else 0.0
        if sum(bounds.values()) + lying <= limit_mib:
            return None
        self._shares = {name: one for name, one in self._shares.items() if name in _names(members)}
        if sum(self._estimate(one, bounds[one], at) for one in members) + lying <= limit_mib:
            return None
        held = sum(self._measure(one, bounds[one], at) for one in members) + lying
        return held if held > limit_mib else None

    def at_most_mib(self, members: Iterable[Member]) -> float:
        """Return a bound that counts what they share more than once; it waits for nothing."""
        return sum(self._bound_mib(one) for one in members)

    def _estimate(self, member: Member, bound_mib: float, at: float) -> float:
        share, then_mib, then = self._shares.get(member[:2], (0.0, 0.0, 0.0))
        if bound_mib > then_mib * _GROWTH or at >= then + _FRESH_S:
            return self._measure(member, bound_mib, at)
        return share * bound_mib

    def _measure(self, member: Member, bound_mib: float, at: float) -> float:
        held_mib = min(bound_mib, self._proportional_mib(member.pid, bound_mib))
        if bound_mib:
            self._shares[member[:2]] = held_mib / bound_mib, bound_mib, at
        return held_mib

    def _bound_mib(self, member: Member) -> float:
        """Return the resident memory without pages of files; all of it where that is not told."""
        kib = self._figures(f"{member.pid}/status")
        if b"RssAnon" in kib:
            return (kib[b"RssAnon"] + kib.get(b"RssShmem", 0)) / 1024
        return member.rss_mib if kib else 0.0

    def _proportional_mib(self, pid: int, bound_mib: float) -> float:
        """Return it with shared pages in proportion; `bound_mib` where we may not look.

        Kernels before 5.3 give only one sum of all kinds of pages.
        """
        kib = self._figures(f"{pid}/smaps_rollup")
        if b"Pss_Anon" in kib:
            return (kib[b"Pss_Anon"] + kib.get(b"Pss_Shmem", 0)) / 1024
        return kib[b"Pss"] / 1024 if b"Pss" in kib else bound_mib

    def _figures(self, name: str) -> dict[bytes, int]:
        try:
            with open(f"{self._proc}/{name}", "rb", buffering=0) as file:  # noqa: PTH123 - dear
                lines = file.readall().splitlines()
        except OSError:
            return {}
        found = {}
        for line in lines:
            what, _, rest = line.partition(b":")
            if rest.endswith(b" kB"):
                found[what] = int(rest[:-3])
        return found

    def _lying_mib(self, members: Iterable[Member]) -> float:
        """Return the memory of files in /dev/shm that they have open, but that none maps."""
        mapped: set[int] = set()
        sizes: dict[int, int] = {}
        for one in members:
            with suppress(OSError):
                mapped |= self._mapped(one.pid)
                sizes |= self._open(one.pid)
        return sum(size for inode, size in sizes.items() if inode not in mapped) / 2**20

    def _mapped(self, pid: int) -> set[int]:
        mark = f" {self._shared}/".encode()
        with open(f"{self._proc}/{pid}/maps", "rb") as file:  # noqa: PTH123
            return {int(line.split(maxsplit=5)[4]) for line in file if mark in line}

    def _open(self, pid: int) -> dict[int, int]:
        found = {}
        folder = f"{self._proc}/{pid}/fd"
        for name in os.listdir(folder):  # noqa: PTH208 - numbers only
            with suppress(OSError):
                # The name first, so that no disk is asked.
                if os.readlink(f"{folder}/{name}").startswith(f"{self._shared}/"):  # noqa: PTH115
                    status = os.stat(f"{folder}/{name}")  # noqa: PTH116
                    found[status.st_ino] = status.st_blocks * 512
        return found


def _names(members: Iterable[Member]) -> set[tuple[int, int]]:
    return {(one.pid, one.start) for one in members}
