"""Pins the threads of all processes of a job to the job's cores.

The launcher pins a job before it starts; from then on children inherit that. This looks every few
seconds whether it still is so, since a job may widen its own mask, and makes it so at once when a
job is squeezed. Threads are looked for until no new ones appear: a thread made meanwhile by one
that was not pinned yet inherits the old mask. Invariant: only threads of processes that were just
seen below their keeper are touched.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from mlq_worker.guest.cores.cores import NO_CORES, Cores, Machine
from mlq_worker.guest.cores.narrower import Overruled, next_mask
from mlq_worker.guest.trees import Member
from mlq_worker.ipc.core_list import parse_list

_PASSES = 20
_MOST_THREADS = 5_000  # of all jobs in a look: what a fork bomb makes inherits its mask
_SYSTEM = Path("/sys/devices/system/cpu")


class Kernel(Protocol):
    """What the kernel knows of cores and threads."""

    def usable(self) -> Cores:
        """Return the cores of our own affinity that are online."""

    def is_narrowed(self) -> bool:
        """Return whether our own affinity leaves out cores of this machine."""

    def siblings(self, core: int) -> Cores:
        """Return the threads of a core's physical core."""

    def threads(self, pid: int) -> list[int]:
        """Return the threads of a process; none if it has ended."""

    def affinity(self, thread: int) -> Cores | None:
        """Return to which cores a thread is pinned; None if it has ended."""

    def pin(self, thread: int, cores: Cores) -> bool:
        """Pin a thread; return whether the kernel did it."""


class Linux:
    """This machine.

    Args:
        proc: where procfs is.
        system: where sysfs describes the cores.
    """

    def __init__(self, proc: Path = Path("/proc"), system: Path = _SYSTEM) -> None:
        self._proc, self._system = os.fspath(proc), system

    def usable(self) -> Cores:
        """Return the cores of our own affinity that are online."""
        return frozenset(os.sched_getaffinity(0))

    def is_narrowed(self) -> bool:
        """Return whether our own affinity leaves out cores of this machine."""
        with suppress(OSError):
            return not parse_list((self._system / "online").read_text()) <= self.usable()
        return False

    def siblings(self, core: int) -> Cores:
        """Return the threads of a core's physical core; the core alone where that is unknown."""
        path = self._system / f"cpu{core}/topology/thread_siblings_list"
        with suppress(OSError):
            return parse_list(path.read_text()) | {core}
        return frozenset((core,))

    def threads(self, pid: int) -> list[int]:
        """Return the threads of a process; none if it has ended."""
        try:
            return [int(name) for name in os.listdir(f"{self._proc}/{pid}/task")]  # noqa: PTH208 - names
        except OSError:
            return []

    def affinity(self, thread: int) -> Cores | None:
        """Return to which cores a thread is pinned; None if it has ended."""
        try:  # asked of each thread every few seconds
            return frozenset(os.sched_getaffinity(thread))
        except OSError:
            return None

    def pin(self, thread: int, cores: Cores) -> bool:
        """Pin a thread; it may have ended, be another user's, or its cpuset may forbid it."""
        try:
            os.sched_setaffinity(thread, cores)
        except OSError:
            return False
        return True


@dataclass(slots=True)
class _Job:
    """A job in a look.

    Args:
        before: the cores that it had.
        now: those that it has from now on.
        overruled: which threads wanted others before.
        still: which want others now.
        given: what threads got in this look.
    """

    before: Cores
    now: Cores
    overruled: Mapping[int, Overruled] = field(default_factory=dict)
    still: dict[int, Overruled] = field(default_factory=dict)
    given: dict[int, Cores] = field(default_factory=dict)


class Pinning:
    """Keeps jobs on their cores.

    Args:
        kernel: the machine.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._jobs: dict[int, _Job] = {}
        self._siblings: dict[int, Cores] = {}

    @property
    def jobs(self) -> Collection[int]:
        """The keepers of the jobs that it keeps on their cores."""
        return self._jobs.keys()

    def machine(self, taken: Cores = NO_CORES, busy: Mapping[int, float] | None = None) -> Machine:
        """Return the cores that there are.

        Args:
            taken: what neighbours' jobs are pinned to.
            busy: how busy others keep each core.
        """
        usable = self._kernel.usable()
        if not usable <= self._siblings.keys():
            self._siblings = {core: self._kernel.siblings(core) for core in usable}
        return Machine(usable, self._siblings, taken, busy or {})

    def mask_of(self, members: Sequence[Member]) -> Cores:
        """Return to which cores a job's first process is pinned."""
        first = min(members, key=lambda one: (one.start, one.pid), default=None)
        return NO_CORES if first is None else self._kernel.affinity(first.pid) or NO_CORES

    def look(
        self,
        cores: Mapping[int, Cores],
        find: Callable[[], Mapping[int, Sequence[Member]]],
        started: Mapping[int, Cores],
    ) -> None:
        """Pin each job to its cores; free those that are not to be pinned any more.

        Args:
            cores: by the pid of its keeper.
            find: returns its processes, by the same; asked again until no new threads appear.
            started: on which cores jobs started that are not in `jobs` yet.
        """
        usable = self._kernel.usable()
        last = {keeper: _Job(mine, mine) for keeper, mine in started.items()} | self._jobs
        new = _Job(usable, usable)
        jobs = {
            keeper: _Job(last.get(keeper, new).now, mine, last.get(keeper, new).still)
            for keeper, mine in cores.items()
        }
        # Those that are not to be pinned any more, or have ended.
        freed = {
            keeper: _Job(last[keeper].now, usable, last[keeper].still)
            for keeper in last.keys() - jobs.keys()
        }
        for _ in range(_PASSES):
            found, seen, changed = find(), 0, False
            for keeper, job in (jobs | freed).items():
                members = found.get(keeper, ())
                # The keeper, too: others read from it where its job is.
                threads = [keeper] if members else []
                for member in members:
                    threads += self._kernel.threads(member.pid)
                seen += len(threads)
                changed |= self._pin(threads, job)
            if not changed or seen > _MOST_THREADS:
                break
        self._jobs = jobs

    def _pin(self, threads: Iterable[int], job: _Job) -> bool:
        """Pin those threads that are not pinned; return whether there were any."""
        changed, affinity = False, self._kernel.affinity
        for thread in threads:
            mask = affinity(thread)
            if mask == job.now and thread not in job.overruled:
                continue
            if mask is None or mask == job.given.get(thread):
                continue
            given, overruled = next_mask(mask, job.before, job.now, job.overruled.get(thread))
            if overruled is not None:
                job.still[thread] = overruled
            job.given[thread] = given
            if given != mask and given:
                changed |= self._kernel.pin(thread, given)
        return changed
