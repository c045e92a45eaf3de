"""What this worker holds: its attempts, and the lanes of very short jobs.

The supervisor is the truth about processes and the queue is the truth about leases; this is the
worker's own memory between the two, rebuilt from both whenever it starts or reconnects.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from mlq.jobs.placement import RunningAttempt
from mlq.jobs.request import Request
from mlq.store.replies import Attempt
from mlq.units import parse_iso
from mlq_worker.agent.attempt_result import AttemptResult, Value, with_value
from mlq_worker.agent.outcomes import History
from mlq_worker.agent.schedule import PREFETCH_S, Lane
from mlq_worker.probes.machine import Promise

# No job waits longer than this in a lane; short jobs ahead of it take PREFETCH_S together.
LANE_PATIENCE_S = 2.0
# Weight of the newest job in the running mean of a class's durations.
_NEWEST = 0.2


@dataclass(slots=True)
class LocalAttempt:
    """One attempt that this machine holds.

    Args:
        attempt: job id and attempt number.
        class_name: its job class.
        request: what it holds while it runs.
        gpu_uuids: the GPUs it was given.
        history: its job's past.
        lane: whether it goes through its class's lane.
        started_s: when it was ordered or adopted, on the worker's clock.
        time_limit_s: when it must end after that; None if never.
        leader_pid: its first process, once known.
        stopping: whether it was told to end.
        progress: its latest progress as text, "" if unknown.
        returns: whether it is a Python function, whose value is to be read from NFS at its end.
        needs: what it needs of its machine, in words (`mlq.jobs.needs`).
        signature: of its job; another job may come to have its number. "" if unknown.
        result: how it ended; None while it has not. Committed next.
    """

    attempt: Attempt
    class_name: str
    request: Request
    gpu_uuids: tuple[str, ...]
    history: History
    lane: bool
    started_s: float
    time_limit_s: float | None
    leader_pid: int | None = None
    stopping: bool = False
    progress: str = ""
    returns: bool = False
    needs: str = ""
    signature: str = ""
    result: AttemptResult | None = None


@dataclass(slots=True)
class AttemptTable:
    """All attempts that this machine holds, and what its short classes have taught."""

    by_key: dict[Attempt, LocalAttempt] = field(default_factory=dict)
    _widths: dict[str, int] = field(default_factory=dict)
    _means_s: dict[str, float] = field(default_factory=dict)

    def add(self, local: LocalAttempt) -> None:
        """Hold an attempt."""
        self.by_key[local.attempt] = local

    def drop(self, attempts: Iterable[Attempt]) -> None:
        """Hold these no longer; what runs is held, whatever was said of its number."""
        for attempt in attempts:
            local = self.by_key.get(attempt)
            if local is not None and local.result is not None:
                del self.by_key[attempt]

    def end(self, result: AttemptResult) -> None:
        """Note how an attempt ended, and how long it took."""
        local = self.by_key.get(result.key)
        if local is None:
            return
        local.result = result
        if result.outcome == "exited" and result.exit_code:
            # What fails is not claimed ahead: the next ones would most likely fail as fast.
            self._means_s.pop(local.class_name, None)
        elif result.outcome == "exited" and result.started_at:
            lasted_s = max(0.0, parse_iso(result.ended_at) - parse_iso(result.started_at))
            mean_s = self._means_s.get(local.class_name, lasted_s)
            self._means_s[local.class_name] = mean_s + _NEWEST * (lasted_s - mean_s)

    def set_value(self, attempt: Attempt, value: Value) -> None:
        """Note what a function returned."""
        local = self.by_key.get(attempt)
        if local is not None and local.result is not None:
            local.result = with_value(local.result, value)

    def active(self) -> list[LocalAttempt]:
        """Return those that have not ended."""
        return [one for one in self.by_key.values() if one.result is None]

    def ended(self) -> list[LocalAttempt]:
        """Return those whose end can be committed now."""
        return [
            one for one in self.by_key.values() if one.result is not None and not _lacks_value(one)
        ]

    def lacking_value(self) -> list[LocalAttempt]:
        """Return those that have ended and whose value is still to be read."""
        return [one for one in self.by_key.values() if _lacks_value(one)]

    def is_short(self, class_name: str) -> bool:
        """Whether the jobs of this class lasted so short that they go through a lane."""
        return self._means_s.get(class_name, PREFETCH_S + 1) <= PREFETCH_S

    def lanes(self) -> dict[str, Lane]:
        """Return the short classes, by name."""
        held: dict[str, int] = {}
        for one in self.active():
            if one.lane:
                held[one.class_name] = held.get(one.class_name, 0) + 1
        return {
            name: Lane(held.get(name, 0), min(self._widths.get(name, 0), held.get(name, 0)), mean_s)
            for name, mean_s in self._means_s.items()
        }

    def stuck(self, now_s: float) -> tuple[Attempt, ...]:
        """Return what has waited in a lane for too long, and call its class short no longer.

        The class's jobs were short so far, and one of them is not: those behind it are better off
        on another machine, or in their place in the queue.
        """
        waiting = [
            one
            for one in self.active()
            if one.lane
            and one.leader_pid is None
            and not one.stopping
            and now_s - one.started_s > LANE_PATIENCE_S
        ]
        for one in waiting:
            self._means_s[one.class_name] = now_s - one.started_s
        return tuple(one.attempt for one in waiting)

    def widen(self, class_name: str, width: int) -> None:
        """Let so many jobs of a short class run at once."""
        self._widths[class_name] = width

    def restore_widths(self) -> None:
        """Let each lane be as wide as what runs in it, when attempts were adopted."""
        for one in self.active():
            if one.lane and one.leader_pid is not None:
                self._widths[one.class_name] = self._widths.get(one.class_name, 0) + 1

    def occupying(self) -> list[LocalAttempt]:
        """Return the attempts that hold resources: all that live, but those waiting in a lane."""
        in_lane: dict[str, int] = {}
        found = []
        for one in self.active():
            if one.lane:
                in_lane[one.class_name] = in_lane.get(one.class_name, 0) + 1
                if in_lane[one.class_name] > self._widths.get(one.class_name, 0):
                    continue
            found.append(one)
        return found

    def promises(self) -> list[Promise]:
        """Return what the machine has promised."""
        return [
            Promise(
                leader_pids=(one.leader_pid,) if one.leader_pid else (),
                cores=one.request.cores,
                mem_mib=one.request.mem_mib,
                gpu_uuids=one.gpu_uuids,
                vram_mib=one.request.vram_mib,
            )
            for one in self.occupying()
        ]

    def occupants(self, now_s: float) -> list[RunningAttempt]:
        """Return what runs, and in how many seconds each surely ends."""
        return [
            RunningAttempt(
                one.request,
                one.gpu_uuids,
                None
                if one.time_limit_s is None
                else max(0.0, one.started_s + one.time_limit_s - now_s),
            )
            for one in self.occupying()
        ]


def _lacks_value(local: LocalAttempt) -> bool:
    result = local.result
    return local.returns and result is not None and result.exit_code == 0 and result.value is None
