"""What a message of the worker or the launcher means, as events; each message whole or not at all.

The worker may be of another version: it is refused if it cannot be understood. The launcher is our
own child.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlq.jobs.attempt import AttemptId
from mlq_worker.ipc.clock import Moment
from mlq_worker.ipc.messages import checked, keys_of
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


def worker_events(
    message: Mapping[str, Any], turn_before_at: float, now: Moment
) -> list[WorkerEvent]:
    """Return what the worker says of attempts.

    Args:
        message: from the worker.
        turn_before_at: the boot time of the turn before, when the message had not been sent yet.
        now: the present.

    Raises:
        KeyError, TypeError, ValueError: it cannot be understood.
    """
    match message["op"]:
        case "start":
            claimed_at = min(turn_before_at, message.get("at", turn_before_at))
            return [OrderReceived(checked(order), claimed_at) for order in message["orders"]]
        case "stop":
            attempt = AttemptId(message["id"], message["attempt"])
            return [StopAsked(attempt, message["outcome"], message["reason"], now)]
        case "confirm":
            alive, lost = keys_of(message["alive"]), keys_of(message["lost"])
            renewed = [Renewed(attempt, message["at"]) for attempt in alive]
            return [*renewed, *(GivenUp(attempt, now) for attempt in lost)]
        case "forget":
            return [ForgetAsked(attempt) for attempt in keys_of(message["attempts"])]
        case "hello" | "shutdown":
            return []
        case other:
            raise ValueError(f"no such operation: {other!r}")


def launcher_events(message: Mapping[str, Any], now: Moment) -> list[LauncherNews]:
    """Return what the launcher says of attempts, in the order in which it happens to each."""
    lines = {AttemptId(job, number): line for job, number, line in message.get("last_lines", ())}
    stored, unwritten = (keys_of(message.get(how, ())) for how in ("stored", "unwritten"))
    return [
        *(Started(item) for item in message.get("started", ())),
        *(TooLate(attempt, now) for attempt in keys_of(message.get("late", ()))),
        *(Ended(result) for result in message.get("gone", ())),
        *(Stored(attempt, lines.get(attempt, "")) for attempt in stored),
        *(Stored(attempt, lines.get(attempt, ""), is_written=False) for attempt in unwritten),
    ]
