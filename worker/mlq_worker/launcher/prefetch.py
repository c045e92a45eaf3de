"""Which jobs of a lane may start: at most `width` run at once, first come, first served.

The launcher keeps the lanes of very short jobs: such a job is over before the supervisor could be
asked for the next one. Pure: the caller says what starts and what ends.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar


class Member(Protocol):
    """What stands in a lane."""

    @property
    def settled(self) -> bool:
        """Whether it is prepared, or will not run at all; if not, those behind it wait for it."""


M = TypeVar("M", bound=Member)


@dataclass(slots=True)
class _Lane(Generic[M]):
    width: int
    running: int = 0
    line: deque[M] = field(default_factory=deque)


class Lanes(Generic[M]):
    """All lanes, by name."""

    def __init__(self) -> None:
        self._lanes: dict[str, _Lane[M]] = {}

    @property
    def crowded(self) -> bool:
        """Whether an order waits in a lane: then there is work without any news from outside."""
        return any(lane.line for lane in self._lanes.values())

    def join(self, name: str, width: int, member: M) -> None:
        """Put a member at the end of a lane, which is `width` wide from now on."""
        lane = self._lanes.setdefault(name, _Lane(width))
        lane.width = width
        lane.line.append(member)

    def next(self, name: str) -> M | None:
        """Return the next member that may start, if any; it counts as running until `leave`."""
        lane = self._lanes.get(name)
        if lane is None or not lane.line or lane.running >= lane.width:
            return None
        if not lane.line[0].settled:
            return None
        lane.running += 1
        return lane.line.popleft()

    def leave(self, name: str) -> None:
        """Note that a member that `next` returned does not run, or no longer runs."""
        lane = self._lanes[name]
        lane.running -= 1
        if not lane.running and not lane.line:
            del self._lanes[name]
