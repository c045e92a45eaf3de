"""Decides which waiting orders may go to the launcher now.

Orders of a lane go first come, first served: at most the lane's width run at once, and a few more
wait ready at the launcher, so that the next one starts the moment one ends. Orders without a lane
go at once. Invariant: no order goes while its fence is down, and it keeps its place. Pure.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from mlq_worker.liveness import fence
from mlq_worker.supervisor.attempt import HeldAttempt, Phase

AHEAD = 32  # of a lane; enough for some milliseconds of jobs that take one each


class Admitted(NamedTuple):
    """An attempt that may go to the launcher.

    Args:
        attempt: the attempt.
        start_by: the boot time in seconds until which the launcher may start it.
        width: how many of its lane may run at once.
    """

    attempt: HeldAttempt
    start_by: float
    width: int


@dataclass(slots=True)
class _Lane:
    width: int
    used: int = 0  # by those at the launcher, which run or are about to
    line: deque[HeldAttempt] = field(default_factory=deque)


class Admission:
    """All lanes, by name; None is the name of no lane.

    Args:
        timings: the settings of liveness.
        ahead: how many orders of a lane the launcher is given beyond those that run.
    """

    def __init__(self, timings: fence.LivenessTimings, ahead: int = AHEAD) -> None:
        self._timings, self._ahead = timings, ahead
        self._lanes: dict[str | None, _Lane] = {}

    def join(self, attempt: HeldAttempt) -> None:
        """Put an attempt at the end of its lane; set the lane's width to that of its order."""
        width = attempt.order.width
        lane = self._lanes.setdefault(attempt.order.lane, _Lane(width))
        lane.width = width
        lane.line.append(attempt)

    def admit(self, at: float) -> list[Admitted]:
        """Return what may go at the boot time `at`; it counts as at the launcher until `leave`."""
        admitted: list[Admitted] = []
        for name, lane in list(self._lanes.items()):
            fenced: list[HeldAttempt] = []
            while lane.line and (name is None or lane.used < lane.width + self._ahead):
                attempt = lane.line.popleft()
                if attempt.phase is not Phase.WAITING:
                    continue  # it ended while it waited
                until = fence.run_until(attempt.contact, self._timings)
                if at > until:
                    fenced.append(attempt)
                    continue
                lane.used += 1
                admitted.append(Admitted(attempt, until, lane.width))
            lane.line.extendleft(reversed(fenced))
            if not lane.line and not lane.used:
                del self._lanes[name]
        return admitted

    def leave(self, attempt: HeldAttempt) -> None:
        """Note that an admitted attempt is no longer at the launcher."""
        self._lanes[attempt.order.lane].used -= 1

    def come_back(self, attempt: HeldAttempt) -> None:
        """Let an admitted attempt that was not started in time wait again, before all others."""
        self.leave(attempt)
        self._lanes[attempt.order.lane].line.appendleft(attempt)
