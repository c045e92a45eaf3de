"""What a message of the worker or the launcher means, as events, one for each attempt."""

from __future__ import annotations

from mlq_worker.ipc.clock import Moment
from mlq_worker.ipc.messages import (
    Confirm,
    Forget,
    Hello,
    News,
    Shutdown,
    Start,
    Stop,
    WorkerMessage,
)
from mlq_worker.supervisor.events import (
    Ended,
    ForgetAsked,
    GivenUp,
    LauncherNews,
    OrderReceived,
    Renewed,
    Started,
    StopAsked,
    Stored,
    TooLate,
    WorkerEvent,
)


def worker_events(message: WorkerMessage, turn_before_at: float, now: Moment) -> list[WorkerEvent]:
    """Return what the worker says of attempts.

    Args:
        message: from the worker.
        turn_before_at: the boot time of the turn before, when the message had not been sent yet.
        now: the present.
    """
    match message:
        case Start(orders, at):
            claimed_at = turn_before_at if at is None else min(turn_before_at, at)
            return [OrderReceived(order, claimed_at) for order in orders]
        case Stop(attempt, outcome, reason):
            return [StopAsked(attempt, outcome, reason, now)]
        case Confirm(at, alive, lost):
            renewed = [Renewed(attempt, at) for attempt in alive]
            return [*renewed, *(GivenUp(attempt, now) for attempt in lost)]
        case Forget(attempts, over):
            return [ForgetAsked(attempt, attempt in over) for attempt in attempts]
        case Hello() | Shutdown():
            return []


def launcher_events(news: News, now: Moment) -> list[LauncherNews]:
    """Return what the launcher says of attempts, in the order in which it happens to each."""
    return [
        *(Started(one) for one in news.started),
        *(TooLate(attempt, now) for attempt in news.late),
        *(Ended(result) for result in news.gone),
        *(Stored(one.attempt, one.last_line, one.is_written) for one in news.recorded),
    ]
