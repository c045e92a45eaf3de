"""A supervisor's state without a supervisor: events go in, what is to be done is gathered."""

from __future__ import annotations

from typing import Any

from mlq.jobs.attempt import AttemptId
from mlq_worker.ipc import values
from mlq_worker.ipc.clock import Moment
from mlq_worker.ipc.values import Order, Result, unstarted_result
from mlq_worker.liveness.fence import LivenessTimings
from mlq_worker.supervisor.admission import AHEAD
from mlq_worker.supervisor.attempt import HeldAttempt, Instructions
from mlq_worker.supervisor.events import (
    Ended,
    Event,
    GivenUp,
    LauncherCleared,
    LauncherDied,
    LauncherStarted,
    OrderReceived,
    Renewed,
    Started,
    StopAsked,
    Ticked,
)
from mlq_worker.supervisor.state import Attempts

SPANS = LivenessTimings(10, 45, 60, 90)


def order(job_id: str, **changes: Any) -> Order:
    fields: dict[str, Any] = {
        "attempt": name(job_id),
        "mark": f"mark-{job_id}",
        "argv": ("true",),
        "env": {},
        "cwd": "/",
        "job_dir": "",
        "job_json": "",
        "time_limit_s": None,
        "stop_grace_s": 10,
        "lane": None,
        "width": 1,
    }
    return Order(**{**fields, **changes})


def at(now: float) -> Moment:
    return Moment(now, f"utc {now}")


def name(job_id: str) -> AttemptId:
    return AttemptId(job_id, 1)


def started(job_id: str, now: float) -> Started:
    return Started(values.Started(name(job_id), pid=7, pid_start=70, started_at="utc", at=now))


def result(job_id: str, outcome: Any = "exited") -> Result:
    return unstarted_result(name(job_id), ("m1", "boot"), (outcome, "over"), "utc")


def ended(job_id: str, outcome: Any = "exited") -> Ended:
    return Ended(result(job_id, outcome))


def stop(job_id: str, outcome: Any, now: float, reason: str = "") -> StopAsked:
    return StopAsked(name(job_id), outcome, reason or outcome, at(now))


class Supervised:
    """The state, a launcher that is there, and all that is still to be done."""

    def __init__(self, ahead: int = AHEAD) -> None:
        self.state = Attempts(SPANS, "m1", "boot", ahead)
        self.out = Instructions()
        self.happen(LauncherStarted())

    def happen(self, *events: Event) -> None:
        for event in events:
            self.state.handle(event, self.out)

    def take(self) -> Instructions:
        """What is to be done since the last call."""
        out, self.out = self.out, Instructions()
        return out

    def order(self, *orders: Order, now: float) -> None:
        self.happen(*(OrderReceived(one, now) for one in orders))

    def tick(self, now: float) -> None:
        self.happen(Ticked(at(now)))

    def confirm(self, now: float, *alive: str, lost: tuple[str, ...] = ()) -> None:
        self.happen(*(Renewed(name(one), now) for one in alive))
        self.happen(*(GivenUp(name(one), at(now)) for one in lost))

    def replace_launcher(self, now: float) -> None:
        self.happen(LauncherDied(), LauncherCleared(at(now)), LauncherStarted())

    def attempt(self, job_id: str) -> HeldAttempt:
        return next(one for one in self.state.held if one.id == name(job_id))

    def states(self) -> dict[str, str]:
        """What a worker that connects is told of each."""
        return {one.id.job_id: one.held().state for one in self.state.held}


def running(*orders: Order, now: float = 0) -> Supervised:
    """A state in which these orders run."""
    held = Supervised(ahead=0)
    held.order(*orders, now=now)
    held.tick(now)
    held.happen(*(started(item.attempt.job_id, now) for item, *_ in held.take().spawn))
    held.take()
    return held
