"""Our processes and their CPU time, read once a second for all watches that ask.

Others' use of the cores is what is left of all use without this. Invariant: CPU time that one of
our processes has spent is never counted as somebody else's, also after it has ended: the time of a
child that was waited for lives on in its parent.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence

from mlq_worker.guest.trees import Member, Trees, look_at
from mlq_worker.guest.watch import GuestAttempt
from mlq_worker.ipc.procfs import Target

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class OwnProcesses:
    """Finds them.

    Args:
        trees: where they are found.
        roots: our other processes, below which are more: supervisor and worker, and all of
            neighbours, whose load is a promise.
    """

    def __init__(
        self, trees: Trees, roots: Callable[[], Collection[int]] = lambda: (os.getpid(),)
    ) -> None:
        self._trees, self._roots = trees, roots
        self._at = float("-inf")
        self._targets: frozenset[Target] = frozenset()
        self._found: Mapping[int, Sequence[Member]] = {}

    def of(self, attempts: Sequence[GuestAttempt], at: float) -> Mapping[int, Sequence[Member]]:
        """Return the processes of each attempt, by the pid of its keeper.

        Asked again at the same time for the same attempts, it answers from memory.
        """
        targets = frozenset(one.target for one in attempts)
        if at != self._at or targets != self._targets:
            self._targets, self._at = targets, at
            self.again()
        return self._found

    def again(self) -> Mapping[int, Sequence[Member]]:
        """Look anew."""
        roots = {Target(pid) for pid in self._roots()}
        self._found = self._trees.look(self._targets | roots, self._at)
        return self._found

    def ticks(self) -> dict[tuple[int, int], int]:
        """Return the CPU time of each of our processes that was found last, by pid and start."""
        tops = [self._trees.look_at(pid) for pid in self._found]
        every = [one for one in tops if one is not None]
        for members in self._found.values():
            every.extend(members)
        return {(one.pid, one.start): one.cpu_ticks for one in every}


def ticks_of_user(
    uid: int, known: Collection[tuple[int, int]], proc: str = "/proc"
) -> dict[tuple[int, int], int]:
    """Return the CPU time of each process of a user, by pid and start, but for those known."""
    found = {}
    with os.scandir(proc) as entries:
        for entry in entries:
            if not entry.name.isdigit():
                continue
            try:
                if entry.stat().st_uid != uid:
                    continue
            except OSError:
                continue  # it has just ended
            one = look_at(proc, int(entry.name))
            if one is not None and (one.pid, one.start) not in known:
                found[one.pid, one.start] = one.cpu_ticks
    return found


def spent_ticks(
    before: Mapping[tuple[int, int], int], after: Mapping[tuple[int, int], int], began_at: float
) -> int:
    """Return the CPU time that our processes spent between two looks.

    What ended processes had spent is subtracted, for their parents' sums now hold it. A process
    that was there before, and has only now become ours, starts from what it has.

    Args:
        before: of each process, by pid and start.
        after: likewise.
        began_at: boot time of the first look.
    """
    old = sum(before.values())
    for name, ticks in after.items():
        if name not in before and name[1] < began_at * TICKS_PER_S:
            old += ticks
    return max(0, sum(after.values()) - old)
