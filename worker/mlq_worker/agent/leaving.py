"""When a worker leaves by itself: before its allocation ends, or after it was idle for long.

A batch system kills an allocation at its end, with all that runs in it; what it kills there counts
as lost. So the worker hands its jobs back while there is time for them to save their state. The end
may move, since users and operators extend allocations, and a suspended one ends later: the system
is asked again and again, in a thread.

Invariant: without an answer the worker goes by the last one.
"""

from __future__ import annotations

from collections.abc import Callable

from mlq_worker.agent.background import BackgroundReader, NewReader
from mlq_worker.agent.facts import Mode
from mlq_worker.allocation.asking import ask
from mlq_worker.allocation.ending import LEAD_S, Told
from mlq_worker.allocation.inside import Inside

ASK_EVERY_S = 60.0


class Leaving:
    """What makes the worker leave.

    Args:
        inside: the allocation around it; None: there is none.
        idle_s: how long it stays without jobs; None: for ever.
        now_s: its clock at its start.
        new_reader: makes the thread that asks the system.
        ring: called when the system has answered.
        lead_s: how long before the end the jobs are handed back.
    """

    def __init__(
        self,
        inside: Inside | None,
        idle_s: float | None,
        now_s: float,
        new_reader: NewReader,
        ring: Callable[[], None],
        lead_s: float = LEAD_S,
    ) -> None:
        self._inside, self._idle_s, self._lead_s = inside, idle_s, lead_s
        self._until_s: float | None = None  # whatever the system says
        self._ends_s: float | None = None
        self._reader: BackgroundReader[Told] | None = None
        self._asked_s = self._busy_s = now_s
        if inside is None:
            return
        if inside.for_s is not None:
            self._until_s = now_s + inside.for_s
        self._learn(inside.first)
        if inside.first.left_s is not None:
            self._reader = new_reader("allocation", ring)

    def look(self, now_s: float, *, holds: bool) -> None:
        """Take in the system's answer; ask again if it is time; note whether there are jobs."""
        if holds:
            self._busy_s = now_s
        if self._reader is None or self._inside is None:
            return
        answer = self._reader.answer()
        if answer is not None:
            self._learn(answer)
        allocation = self._inside.allocation
        if now_s - self._asked_s >= ASK_EVERY_S and self._reader.ask(lambda: ask(allocation)):
            self._asked_s = now_s

    def left_s(self, now_s: float) -> float | None:
        """Return how long jobs may still run here, in seconds; None if no end is known."""
        ends = [one for one in (self._until_s, self._ends_s) if one is not None]
        return max(0.0, min(ends) - self._lead_s - now_s) if ends else None

    def mode(self, wanted: Mode, now_s: float) -> Mode:
        """Return what the worker does, given what its operator wants."""
        if self._inside is not None:
            if wanted is Mode.HANDOVER:
                return Mode.RELEASE  # nobody would adopt the jobs
            if self.left_s(now_s) == 0:
                return Mode.RELEASE
        if wanted is Mode.RUN and self._idle_s is not None and now_s >= self._busy_s + self._idle_s:
            return Mode.DRAIN
        return wanted

    def next_s(self, now_s: float) -> float:
        """Return in how many seconds the mode may change by itself; infinity if it will not."""
        waits = [self.left_s(now_s) or None]
        if self._idle_s is not None:
            waits.append(max(0.0, self._busy_s + self._idle_s - now_s) or None)
        return min((one for one in waits if one is not None), default=float("inf"))

    def _learn(self, told: Told) -> None:
        if told.left_s is not None:
            self._ends_s = self._asked_s + told.left_s
