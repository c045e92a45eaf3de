"""How long the threads of each attempt had to wait for a core.

A job that is pinned to one core and has four threads at work uses one core; only the time for which
its threads are ready to run and do not (the second field of `/proc/PID/task/TID/schedstat`) tells
that it wanted four. One file a thread must be read, so it is done every ten seconds. Invariant:
what a thread waited for is counted once, but for what comes after the last look before its end.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from mlq_worker.probes.process_table import PROC

EVERY_S = 10.0
_MOST_THREADS = 20_000


class WaitProbe:
    """Adds up waiting times; remembers between calls what each thread had.

    Args:
        proc: where procfs is.
        every_s: how often it looks, at most.
    """

    def __init__(self, proc: Path = PROC, every_s: float = EVERY_S) -> None:
        self._proc, self._every_s = os.fspath(proc), every_s
        self._looked_s = float("-inf")
        self._threads: dict[int, int] = {}  # of each thread its waiting time, in ns
        self._waited_s: dict[int, float] = {}

    def read(self, now_s: float, owners: Mapping[int, int]) -> dict[int, float]:
        """Return how many seconds the threads of each leader's tree have waited so far.

        Args:
            now_s: a monotonic clock.
            owners: of each process of an attempt the attempt's leader.
        """
        leaders = set(owners.values())
        if now_s - self._looked_s < self._every_s:
            return {one: waited for one, waited in self._waited_s.items() if one in leaders}
        self._looked_s = now_s
        waited = {one: self._waited_s.get(one, 0.0) for one in leaders}
        threads: dict[int, int] = {}
        for pid, leader in owners.items():
            for thread, ns in self._of(pid, _MOST_THREADS - len(threads)):
                before = self._threads.get(thread, 0)
                # A thread with less than before is another one, with the same number.
                waited[leader] += (ns - before if ns >= before else ns) / 1e9
                threads[thread] = ns
        self._threads, self._waited_s = threads, waited
        return dict(waited)

    def _of(self, pid: int, most: int) -> list[tuple[int, int]]:
        try:
            names = os.listdir(f"{self._proc}/{pid}/task")  # noqa: PTH208 - names
        except OSError:
            return []  # it has ended
        found = ((int(name), self._waited_ns(pid, name)) for name in names[: max(0, most)])
        return [(thread, ns) for thread, ns in found if ns is not None]

    def _waited_ns(self, pid: int, thread: str) -> int | None:
        try:
            descriptor = os.open(f"{self._proc}/{pid}/task/{thread}/schedstat", os.O_RDONLY)
            try:
                return int(os.read(descriptor, 128).split()[1])
            finally:
                os.close(descriptor)
        except (OSError, ValueError, IndexError):
            return None  # it has ended, or this kernel does not tell
