"""What an attempt's end means for its job: pure, from a result to a move of the life cycle.

The same function serves the worker that hears of the end from its supervisor and the reaper that
finds `result.json` on NFS, so it makes no difference who commits a result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlq.lifecycle import Event, target
from mlq.store.operations import Move
from mlq.store.record import result_fields


@dataclass(frozen=True, slots=True)
class History:
    """What of a job's past decides what its next end means.

    Args:
        retries: how often its user lets it fail.
        failures: attempts that failed by themselves so far.
        losses: attempts lost with their machine so far.
        stop: why its user wants it to end; "" if not.
    """

    retries: int = 0
    failures: int = 0
    losses: int = 0
    stop: str = ""


def ending(result: Mapping[str, Any], history: History, max_losses: int) -> Move:
    """Return the move that commits the end of an attempt.

    Args:
        result: what the supervisor reports and writes as result.json.
        history: the job's past.
        max_losses: how many losses a job survives.
    """
    outcome = result["outcome"]
    if outcome == "lost":
        return loss(
            (result["id"], result["attempt"]),
            result["machine"],
            str(result["reason"]).removeprefix("lost: "),
            history,
            max_losses,
        )
    event, reason = _event(result, history)
    value = str(result.get("value") or "")
    fields: dict[str, str | int | float] = {"mlq_reason": reason}
    clear = ["mlq_stop"]
    if event is Event.RELEASE or event is Event.RETRY:
        clear.append("mlq_progress")
    else:
        fields["ended_at"] = result["ended_at"]
        fields["worker_name"] = ""
    if event in (Event.FAIL, Event.RETRY):
        fields["mlq_failures"] = history.failures + 1
    if result["exit_code"] is not None:
        fields["mlq_exit_code"] = result["exit_code"]
    if value:
        fields["result"] = value
    return Move(
        result["id"],
        event,
        result["attempt"],
        fields=fields,
        clear=tuple(clear),
        result=_entry(event, result["attempt"], result["machine"], reason, value),
    )


# Outcomes that mean the same whatever the job's past; the others are failures of the job itself.
_BY_OUTCOME = {
    "released": Event.RELEASE,
    "storage": Event.RELEASE,
    "canceled": Event.CANCEL,
    "timeout": Event.TIME_OUT,
}


def _event(result: Mapping[str, Any], history: History) -> tuple[Event, str]:
    reason = str(result["reason"])
    outcome = result["outcome"]
    if history.stop and outcome != "exited":
        return Event.CANCEL, history.stop
    if outcome == "exited" and result["exit_code"] == 0:
        return Event.SUCCEED, ""
    if outcome in _BY_OUTCOME:
        return _BY_OUTCOME[outcome], reason
    if history.failures < history.retries and not history.stop:
        return Event.RETRY, f"{reason}; retry {history.failures + 1} of {history.retries}"
    return Event.FAIL, reason


def loss(
    attempt: tuple[str, int], machine: str, why: str, history: History, max_losses: int
) -> Move:
    """Return the move of a job whose attempt was lost with its machine.

    A loss is no fault of the job, so it goes back to its place in the queue; but a job under which
    machine after machine dies is not tried for ever, and one that its user wanted to end has ended.
    """
    event, reason = Event.LOSE, f"lost: {why}"
    if history.stop:
        event, reason = Event.CANCEL, history.stop
    elif history.losses >= max_losses:
        event = Event.GIVE_UP
        reason = f"kills its machine: lost {history.losses + 1} times, the last time {why}"
    return Move(
        attempt[0],
        event,
        attempt[1],
        fields={"mlq_reason": reason},
        clear=("mlq_exit_code", "mlq_stop"),
        result=_entry(event, attempt[1], machine, reason, ""),
        lost_on=machine,
    )


def refusal(attempt: tuple[str, int], machine: str, why: str, ended_at: str) -> Move:
    """Return the move of a job that was claimed and must not be run."""
    reason = f"refused: {why}"
    return Move(
        attempt[0],
        Event.FAIL,
        attempt[1],
        fields={"mlq_reason": reason, "ended_at": ended_at},
        result=_entry(Event.FAIL, attempt[1], machine, reason, ""),
    )


def _entry(
    event: Event, attempt: int, machine: str, reason: str, value: str
) -> tuple[str | int, ...]:
    return tuple(result_fields(target(event), attempt, machine, reason=reason, value=value))
