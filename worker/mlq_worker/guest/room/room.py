"""How much of a machine is left for our jobs while others use it: pure.

The gentlest step that suffices: first jobs are squeezed to fewer cores, the widest first, down to
one each; only memory that is about to run out ends one. Invariants: a squeeze follows from two
looks in a row, a burst of a second moves nothing; jobs get wider only to what had room throughout
the last `ROOM_S`; the reserve is left free while anybody else is active.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from typing import Generic, NamedTuple, TypeVar

ROOM_S = 60.0
_FREEING_S = 5.0
"""The kernel takes so long at most to free the memory of a job that was killed."""

N = TypeVar("N")


def cores_left(usable: int, others: float, reserve: int, *, is_active: bool) -> int:
    """Return how many cores are left; the worker offers as many (`mlq_worker.probes.machine`).

    Args:
        usable: how many cores there are.
        others: how many others keep busy.
        reserve: how many are left free for them besides.
        is_active: whether somebody else is active, whatever they use.
    """
    return max(0, usable - round(others) - (reserve if is_active else 0))


def our_part(left: int, ours: int, neighbours: int) -> int:
    """Return how many of the cores that are left are ours, and not of the mlq of others.

    Each gives way in proportion to what its jobs asked for.
    """
    if left >= ours + neighbours:
        return left - neighbours
    return left * ours // (ours + neighbours)


def shared_out(asked: Mapping[N, int], most: int) -> dict[N, int]:
    """Return how many cores each job has if all together have `most`: the widest give first.

    Each keeps one. A job that keeps all that it asked for is left out.
    """
    has = dict(asked)
    excess = sum(has.values()) - most
    while excess > 0:
        widest = max(has.values(), default=1)
        if widest <= 1:
            break
        # The last of the widest: earlier ones were here first.
        name = [one for one, cores in has.items() if cores == widest][-1]
        has[name] -= 1
        excess -= 1
    return {name: cores for name, cores in has.items() if cores < asked[name]}


class Squeeze(Generic[N]):
    """How many cores our jobs have together, from looks once a second."""

    def __init__(self) -> None:
        self._looks: deque[tuple[float, int]] = deque()  # when, and how many cores were ours
        self._most: int | None = None

    def see(self, at: float, left: int, asked: Mapping[N, int]) -> dict[N, int]:
        """Take in a look; return to how many cores jobs are squeezed.

        Args:
            at: a clock that never goes back, in seconds.
            left: how many cores are ours by this look; see `cores_left`.
            asked: how many cores each job asked for, the oldest first.
        """
        last = self._looks[-1][1] if self._looks else None
        self._looks.append((at, left))
        while self._looks[0][0] < at - ROOM_S:
            self._looks.popleft()
        if last is not None:
            now = max(last, left)
            self._most = now if self._most is None else min(self._most, now)
        if self._most is not None and self._spans_enough(at):
            self._most = max(self._most, min(cores for _, cores in self._looks))
        return {} if self._most is None else shared_out(asked, self._most)

    def _spans_enough(self, at: float) -> bool:
        return at - self._looks[0][0] >= ROOM_S - 2


class Cramped(Generic[N]):
    """Which jobs have had less than half of their cores for how long."""

    def __init__(self) -> None:
        self._since: dict[N, float] = {}

    def see(self, at: float, asked: Mapping[N, int], squeezed: Mapping[N, int]) -> dict[N, float]:
        """Take in a look; return for how many seconds each of them has been so."""
        now = [name for name in squeezed if 2 * squeezed[name] < asked.get(name, 0)]
        self._since = {name: self._since.get(name, at) for name in now}
        return {name: at - since for name, since in self._since.items()}


class Job(NamedTuple, Generic[N]):
    """A job that may be handed back.

    Args:
        name: whose it is.
        kept_at: when it saved its state last, or else started: what it did since is lost.
        is_ending: whether it is told to end already.
        has_more: whether it has more memory than the default promised it: it goes first.
    """

    name: N
    kept_at: float
    is_ending: bool = False
    has_more: bool = False


class Victim(NamedTuple, Generic[N]):
    """The job that must end, and whether at once: without a grace."""

    name: N
    at_once: bool


class Shortage(Generic[N]):
    """Whether main memory runs out, from looks once a second."""

    def __init__(self) -> None:
        self._was_short = False
        self._killed: tuple[N, float] | None = None

    def see(
        self, at: float, available_mib: float, reserve_mib: float, jobs: Collection[Job[N]]
    ) -> Victim[N] | None:
        """Take in a look; return the job that loses least, if one must end.

        One that has more than it was promised comes before those that keep to it. One after the
        other: nobody else is told to end before that one is gone. But below half of the reserve
        nobody waits for a grace, and who is told to end already goes first.

        Args:
            at: a clock that never goes back, in seconds.
            available_mib: what the kernel could give.
            reserve_mib: what is to be left.
            jobs: those that there are.
        """
        is_short = available_mib < reserve_mib
        was_short, self._was_short = self._was_short, is_short
        at_once = available_mib < reserve_mib / 2
        if not (at_once or (is_short and was_short)):
            return None
        if any(job.is_ending for job in jobs) and not at_once:
            return None
        if self._killed is not None:
            name, killed_at = self._killed
            if at < killed_at + _FREEING_S and any(job.name == name for job in jobs):
                return None
        killed = self._killed and self._killed[0]
        left = [job for job in jobs if job.name != killed and (at_once or not job.is_ending)]
        if not left:
            return None
        victim = max(left, key=lambda job: (job.is_ending, job.has_more, job.kept_at)).name
        self._killed = (victim, at) if at_once else None
        return Victim(victim, at_once)
