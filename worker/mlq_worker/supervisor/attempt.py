"""One attempt as the supervisor holds it, and what the supervisor may be told to do.

Plain data for `state`, which alone decides how it changes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto

from mlq_worker.ipc.messages import (
    Held,
    HeldState,
    Key,
    Order,
    Outcome,
    Result,
    Started,
    Termination,
)
from mlq_worker.ipc.processes import Target
from mlq_worker.liveness import fence
from mlq_worker.supervisor.notices import Notice

KILL_AGAIN_S = 0.05  # the first pause between two rounds of killing; doubled each round


class Phase(Enum):
    """Where an attempt stands; see `state`."""

    WAITING = auto()
    STARTING = auto()
    RUNNING = auto()
    ORPHANED = auto()
    LEAVING = auto()
    ENDED = auto()


@dataclass(slots=True)
class Attempt:
    """One held attempt. Times ending in `_at` without a zone are boot time in seconds."""

    order: Order
    contact: fence.Contact
    phase: Phase = Phase.WAITING
    started: Started | None = None
    result: Result | None = None
    ending: tuple[Outcome, str] | None = None
    limit_at: float | None = None
    paused_at: float | None = None
    signaled: bool = False
    """It was sent the signal that its user asked for."""
    unheeded: bool = False
    """None of its processes handled that."""
    rest_at: float | None = None
    """When all that is left of it is told to end."""
    kill_at: float | None = None
    kill_again_s: float = KILL_AGAIN_S

    @property
    def key(self) -> Key:
        """Job id and attempt number."""
        return self.order["id"], self.order["attempt"]

    @property
    def target(self) -> Target:
        """Whose processes are meant when this attempt is signalled."""
        if self.started is None:
            return Target()
        return Target(self.started["pid"], self.started["pid_start"])

    def held(self) -> Held:
        """The attempt as a worker that connects is told."""
        started = self.started
        return {
            "id": self.order["id"],
            "attempt": self.order["attempt"],
            "mark": self.order["mark"],
            "state": self._state(),
            "pid": started and started["pid"],
            "pid_start": started and started["pid_start"],
            "started_at": started and started["started_at"],
            "result": self.result if self.phase is Phase.ENDED else None,
            "order": {
                "lane": self.order["lane"],
                "time_limit_s": self.order["time_limit_s"],
                "tag": self.order.get("tag", {}),
            },
        }

    def _state(self) -> HeldState:
        if self.phase is Phase.ENDED:
            return "ended"
        if self.ending is not None or self.phase in (Phase.LEAVING, Phase.ORPHANED):
            return "stopping"
        if self.paused_at is not None:
            return "paused"
        return "running" if self.started else "waiting"


@dataclass(slots=True)
class Instructions:
    """What the loop is to do, in the order of the fields."""

    pause: list[Target] = field(default_factory=list)
    doom: list[Termination] = field(default_factory=list)
    kill: list[Target] = field(default_factory=list)
    terminate: list[Target] = field(default_factory=list)
    notify: list[Notice] = field(default_factory=list)
    terminate_all: list[Target] = field(default_factory=list)
    resume: list[Target] = field(default_factory=list)
    forget: list[Key] = field(default_factory=list)
    record: list[Result] = field(default_factory=list)
    spawn: list[tuple[Order, float]] = field(default_factory=list)
    """Orders, and until when (boot time) the launcher may still start each."""
    started: list[Started] = field(default_factory=list)
    ended: list[Result] = field(default_factory=list)
