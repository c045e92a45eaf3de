"""One attempt as the supervisor holds it, and what the supervisor may be told to do.

Plain data for `state`, which alone decides how it changes.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import IntEnum, auto

from mlq.jobs.attempt import AttemptId
from mlq_worker.guest.watch import PauseReason
from mlq_worker.ipc.launcher_messages import Spawn
from mlq_worker.ipc.procfs import Target
from mlq_worker.ipc.shortage import Shortage
from mlq_worker.ipc.values import (
    Held,
    HeldState,
    Order,
    Outcome,
    Result,
    Started,
    Termination,
)
from mlq_worker.liveness import fence
from mlq_worker.supervisor.notices import Notice
from mlq_worker.supervisor.requests import Request

KILL_AGAIN_S = 0.05  # the first pause between two rounds of killing; doubled each round
_REMEMBERED = 12  # events of each attempt


class Phase(IntEnum):
    """Where an attempt stands; `transitions` shows what leads from one to another."""

    UNHELD = auto()
    """It was never ordered, or it is forgotten."""
    WAITING = auto()
    """It waits for its turn; see `admission`."""
    STARTING = auto()
    """The launcher has the order."""
    RUNNING = auto()
    ORPHANED = auto()
    """The launcher died; its processes are being killed."""
    RECORDING = auto()
    """No process of it is left; its result is being written."""
    ENDED = auto()
    """It is held until the worker says that its end is committed."""


LIVE = frozenset({Phase.STARTING, Phase.RUNNING, Phase.ORPHANED})
"""Phases in which an attempt may have processes."""


@dataclass(slots=True)
class HeldAttempt:
    """One held attempt. Times ending in `_at` without a zone are boot time in seconds."""

    order: Order
    contact: fence.Contact
    phase: Phase = Phase.WAITING
    started: Started | None = None
    result: Result | None = None
    ending: tuple[Outcome, str] | None = None
    limit_at: float | None = None
    paused_by: dict[PauseReason, str] = field(default_factory=dict)
    """Why it must not run, with the words for people; it runs when no reason is left."""
    paused_at: float | None = None
    """Since when it is paused, for whatever reasons."""
    cores_now: int | None = None
    """To how many cores it is squeezed."""
    stands_since: float | None = None
    """Since when its time limit's clock stands still: it is paused or squeezed."""
    most_grace_s: float = float("inf")
    """The most grace that it gets at its end here."""
    shortage: Shortage | None = None
    """Of memory, if that ends it."""
    signaled: bool = False
    """It was sent the signal that its user asked for."""
    unheeded: bool = False
    """None of its processes handled that."""
    sent: list[tuple[int, str]] = field(default_factory=list)
    """Signals of its user that wait until it runs and is not paused: number, for whom."""
    sequence: int = 0
    """Of the last signal that its user has sent."""
    own_sent: bool = False
    """Its user has sent it the signal that it asked for."""
    asked_s: float | None = None
    """When it asked to be queued again, in seconds after its start."""
    term_at: float | None = None
    """When it gets SIGTERM, after the signal that its user asked for."""
    rest_at: float | None = None
    """When all that is left of it is told to end."""
    kill_at: float | None = None
    kill_again_s: float = KILL_AGAIN_S
    events: deque[tuple[float, str, Phase | None, Phase | None]] = field(
        default_factory=lambda: deque(maxlen=_REMEMBERED)
    )
    """The last things that happened to it: when, what, and from which phase into which."""

    @property
    def id(self) -> AttemptId:
        """Job id and attempt number."""
        return self.order.attempt

    @property
    def grace_s(self) -> float:
        """Its grace, in seconds, if it is told to end now."""
        return min(self.order.stop_grace_s, self.most_grace_s)

    @property
    def is_fenced(self) -> bool:
        """Whether it is paused because neither channel answers."""
        return "fence" in self.paused_by

    @property
    def target(self) -> Target:
        """Whose processes are meant when this attempt is signalled."""
        if self.started is None:
            return Target()
        return Target(self.started.pid, self.started.pid_start)

    def remember(
        self, at: float, what: str, before: Phase | None = None, then: Phase | None = None
    ) -> None:
        """Add an event to its story, which is put in words only when needed."""
        self.events.append((at, what, before, then))

    def story(self) -> str:
        """Return its last events, the latest last."""
        told = (
            f"{at:.1f} {what}" + (f" {before.name} -> {then.name}" if before and then else "")
            for at, what, before, then in self.events
        )
        return "; ".join(told) or "nothing has happened to it"

    def held(self) -> Held:
        """Return the attempt as the supervisor reports it to a worker that connects."""
        started, order = self.started, self.order
        return Held(
            order.attempt,
            order.mark,
            self._state(),
            pid=started.pid if started else None,
            pid_start=started.pid_start if started else None,
            started_at=started.started_at if started else None,
            result=self.result if self.phase is Phase.ENDED else None,
            order={"lane": order.lane, "time_limit_s": order.time_limit_s, "tag": order.tag},
        )

    def _state(self) -> HeldState:
        if self.phase is Phase.ENDED:
            return "ended"
        if self.ending is not None or self.phase in (Phase.RECORDING, Phase.ORPHANED):
            return "stopping"
        if self.paused_at is not None:
            return "paused"
        return "running" if self.started else "waiting"


@dataclass(slots=True)
class Instructions:
    """What the loop is to do, in the order of the fields."""

    errors: list[str] = field(default_factory=list)
    """For the log: events that cannot have happened."""
    pause: list[Target] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """For the log: which attempts are paused, resumed or squeezed, and why."""
    announce: list[Termination] = field(default_factory=list)
    """Why attempts are ended; the launcher has to know before the first signal."""
    kill: list[Target] = field(default_factory=list)
    terminate_all: list[Target] = field(default_factory=list)
    terminate: list[Target] = field(default_factory=list)
    notify: list[Notice] = field(default_factory=list)
    signal: list[Request] = field(default_factory=list)
    obeyed: list[tuple[AttemptId, int]] = field(default_factory=list)
    """Signals of users, to be told to the worker: they need not be sent again."""
    resume: list[Target] = field(default_factory=list)
    forget: list[AttemptId] = field(default_factory=list)
    tidy: list[AttemptId] = field(default_factory=list)
    record: list[Result] = field(default_factory=list)
    spawn: list[Spawn] = field(default_factory=list)
    started: list[Started] = field(default_factory=list)
    ended: list[Result] = field(default_factory=list)
