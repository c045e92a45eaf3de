"""What an attempt's end means for its job: from a result to a move of the life cycle. Pure.

The worker that hears of the end from its supervisor and the reaper that finds `result.json` on NFS
use the same function, so a result means the same whichever of them commits it.
"""

from __future__ import annotations

from mlq.jobs.lifecycle import Event, target
from mlq.store.operations import Growth, Move
from mlq.store.record import result_fields
from mlq.units import format_duration, parse_iso, rounded_mib, utc_iso
from mlq_worker.agent.attempt_result import AttemptResult
from mlq_worker.agent.diagnosis import Diagnosis, diagnose
from mlq_worker.agent.history import History, Patience
from mlq_worker.agent.starts import how_it_started
from mlq_worker.ipc.causes import MISSING, Kind
from mlq_worker.ipc.shortage import Shortage

# How often to try a job whose own folder cannot be written.
FOLDER_TRIES = 3
# How often to try a job elsewhere that others on its machine left too little memory.
CROWDED_TRIES = 5
# Added to the reason of an end after which any other job would be queued again.
NOT_AGAIN = "; it must not run again (--no-requeue)"
# A job that asks to be queued again so soon, so often in a row, will never get anywhere.
SOON_ASKED_S, SOON_ASKED_TIMES = 10.0, 5


def ending(result: AttemptResult, history: History, patience: Patience, nowhere: str = "") -> Move:
    """Return the move that commits the end of an attempt.

    Args:
        result: what the supervisor reports and writes as result.json.
        history: the job's past.
        patience: how many losses and pauses a job gets before it fails.
        nowhere: the reason that no machine has what the job needs, if the attempt ended for lack
            of it; "" if another machine may have it.
    """
    if result.outcome == "lost":
        return loss(
            result.key,
            result.machine,
            result.reason.removeprefix("lost: "),
            history,
            patience.max_losses,
            # Without a cause its supervisor or launcher ended, and others have taken their place.
            avoid=result.cause.kind is Kind.MACHINE,
        )
    wanted_to_end = history.stop or history.wish
    if result.shortage is not None and history.request is not None and not wanted_to_end:
        ran_out = diagnose(result, result.shortage, history.request)
        if result.shortage.killed and not ran_out.is_own_fault:
            return _crowded_out(result, result.shortage, history, patience, ran_out)
        return _out_of_memory(result, history, patience, ran_out)
    event, reason = _event(result, history, nowhere)
    return _end(result, history, patience, event, reason, unwritten=bool(nowhere))


def _end(
    result: AttemptResult,
    history: History,
    patience: Patience,
    event: Event,
    reason: str,
    *,
    unwritten: bool = False,
) -> Move:
    """Return the move of an attempt that ended by itself, by its user or by its worker."""
    value = result.value or ""
    fields: dict[str, str | int | float] = {"mlq_reason": reason}
    clear = ["mlq_stop", "mlq_wish", "mlq_restraint"]
    pause_s, avoid = 0.0, ""
    soon_asked = _soon_asked(result, history)
    if soon_asked:
        fields["mlq_soon_asked"] = soon_asked
    elif soon_asked == 0:
        clear.append("mlq_soon_asked")
    if event is Event.RELEASE or event is Event.RETRY:
        clear += ["mlq_progress", "mlq_advance"]
        is_wanted = result.outcome == "released" or bool(history.wish)
        avoid = "" if is_wanted else result.machine
    else:
        fields["ended_at"] = result.ended_at
        fields["worker_name"] = ""
        fields |= _how_far(result)
        if result.started_at:
            # As the root has it, so that a queue made anew from there says the same.
            fields["started_at"] = result.started_at
        if result.unwritten or history.stop or unwritten:
            # Only the queue knows this end, its user's wish, or that no machine has it.
            fields["mlq_unwritten"] = 1
    if result.cause.kind is Kind.JOB_FOLDER:
        fields["mlq_folder_faults"] = history.folder_faults + 1
    elif event in (Event.FAIL, Event.RETRY):
        fields["mlq_failures"] = history.failures + 1
    if event is Event.RETRY:
        pause_s = patience.pause_s(history.failures + history.folder_faults)
        fields["mlq_due"] = utc_iso(parse_iso(result.ended_at) + pause_s)
        fields["mlq_reason"] = f"{reason} in {format_duration(round(pause_s, 1))}"
    fields |= _as_it_ran(result)
    if not result.notes:
        clear.append("mlq_notes")  # what was said while it ran may no longer hold
    if value:
        fields["result"] = value
    return Move(
        result.id,
        event,
        result.attempt,
        fields=fields,
        clear=tuple(clear),
        result=_entry(event, result.attempt, result.machine, reason, value),
        avoid=avoid,
        pause_s=pause_s,
        start=how_it_started(result),
    )


def _as_it_ran(result: AttemptResult) -> dict[str, str | int]:
    """Return what is known of how an attempt ran, whatever its end means."""
    used = "" if result.cpu_s is None else f"{result.cpu_s:.6g} {result.max_rss_mib}"
    texts = {
        "mlq_usage": used,
        "mlq_notes": "\n".join(result.notes),
        "mlq_metrics": result.metrics,
        "mlq_used": result.used,
    }
    found: dict[str, str | int] = {name: text for name, text in texts.items() if text}
    return found if result.exit_code is None else {**found, "mlq_exit_code": result.exit_code}


def _how_far(result: AttemptResult) -> dict[str, str]:
    found = {"mlq_advance": result.advance.text} if result.advance.text else {}
    share = result.advance.share
    return found if share is None else {**found, "mlq_progress": repr(share)}


def _out_of_memory(
    result: AttemptResult, history: History, patience: Patience, ran_out: Diagnosis
) -> Move:
    """Return the move of an attempt that failed because memory ran out."""
    event, reason = _failure(ran_out.reason, history)
    plain = _end(result, history, patience, event, reason)
    if ran_out.is_own_fault:
        if history.ooms >= history.oom_retries:
            return plain
        which = f"{history.ooms + 1} of {history.oom_retries}"
        move = _tried_again(result, history, patience, ran_out.reason)
        growth = Growth(
            ran_out.of_gpu, ran_out.had_mib, ran_out.wanted_mib, which, result.machine, plain
        )
        return move._replace(
            fields={**move.fields, "mlq_ooms": history.ooms + 1}, avoid="", growth=growth
        )
    if history.crowded >= CROWDED_TRIES or not history.requeue:
        return plain
    which = f"trying elsewhere ({history.crowded + 1} of {CROWDED_TRIES})"
    move = _tried_again(result, history, patience, f"{ran_out.reason}; {which}")
    return move._replace(fields={**move.fields, "mlq_crowded": history.crowded + 1})


def _crowded_out(
    result: AttemptResult,
    shortage: Shortage,
    history: History,
    patience: Patience,
    ran_out: Diagnosis,
) -> Move:
    """Return the move of an attempt that the kernel killed although it kept its promise.

    Its machine has let it down, as if it had been switched off: it keeps its place in line. What a
    job uses is only sampled, so one that grows too fast to be seen is not handed back for ever.
    """
    if history.crowded >= CROWDED_TRIES or not history.requeue:
        return _end(result, history, patience, *_failure(ran_out.reason, history))
    others = f"; others used {rounded_mib(shortage.others_mib)}" if shortage.others_mib else ""
    reason = f"handed back: {result.machine} ran out of memory{others}"
    move = _end(result, history, patience, Event.RELEASE, reason)
    # How it started tells nothing of its command.
    return move._replace(fields={**move.fields, "mlq_crowded": history.crowded + 1}, start="")


def _tried_again(result: AttemptResult, history: History, patience: Patience, reason: str) -> Move:
    """Return the move of a job that is tried again, and whose retries that does not use up."""
    move = _end(result, history, patience, Event.RETRY, reason)
    fields = {name: value for name, value in move.fields.items() if name != "mlq_failures"}
    pause_s = patience.pause_s(history.crowded)
    fields["mlq_due"] = utc_iso(parse_iso(result.ended_at) + pause_s)
    # How it started tells nothing of its command, nor of the machine.
    return move._replace(fields={**fields, "mlq_reason": reason}, pause_s=pause_s, start="")


_RAN = frozenset({"exited", "signaled", "timeout", "released"})


def _soon_asked(result: AttemptResult, history: History) -> int | None:
    """Return how many attempts in a row have asked to be queued again soon; None: as before.

    One that was handed back soon after its start, or that never started, says nothing.
    """
    if result.asked_s is not None and result.outcome == "released":
        return history.soon_asked + 1 if result.asked_s < SOON_ASKED_S else 0
    if not result.started_at:
        return None
    ran_s = parse_iso(result.ended_at) - parse_iso(result.started_at)
    return None if result.outcome == "released" and ran_s < SOON_ASKED_S else 0


# Outcomes whose meaning does not depend on the job's past; all others are the job's own failures.
_BY_OUTCOME = {
    "released": Event.RELEASE,
    "storage": Event.RELEASE,
    "reused": Event.RELEASE,
    "foreign": Event.FAIL,
    "overstepped": Event.FAIL,
    "canceled": Event.CANCEL,
    "timeout": Event.TIME_OUT,
}


def _event(result: AttemptResult, history: History, nowhere: str) -> tuple[Event, str]:
    wished = _as_wished(result, history)
    if wished is not None:
        return wished
    reason, outcome, kind = result.why, result.outcome, result.cause.kind
    if outcome == "exited" and result.exit_code == 0:
        return Event.SUCCEED, ""
    if kind is Kind.JOB_FOLDER or (kind in MISSING and not nowhere):
        return _unstarted(result, history)
    if outcome == "released" and result.started_at and not history.requeue:
        return Event.GIVE_UP, reason + NOT_AGAIN  # one that never started may still start elsewhere
    if outcome in _BY_OUTCOME:
        return _BY_OUTCOME[outcome], reason
    return _failure(nowhere or reason, history)


def _as_wished(result: AttemptResult, history: History) -> tuple[Event, str] | None:
    """Return what follows if the job or its user wanted the attempt to end; None if they did not.

    What its user wants comes first: a canceled job is not queued again.
    """
    if history.stop and result.outcome != "exited":
        return Event.CANCEL, history.stop
    if (_soon_asked(result, history) or 0) >= SOON_ASKED_TIMES:
        within = format_duration(SOON_ASKED_S)
        often = f"{SOON_ASKED_TIMES} attempts in a row asked to be queued again"
        return Event.FAIL, f"{often} within {within} of their start"
    if history.wish and not history.stop and result.outcome in _RAN:
        return Event.RELEASE, history.wish
    if result.asked_s is not None and result.outcome == "released":
        return Event.RELEASE, result.reason  # also one that must not run again after a loss
    return None


def _unstarted(result: AttemptResult, history: History) -> tuple[Event, str]:
    """Return what follows if this machine lacks what a job needs, or the job's folder is at fault.

    The folder is the same on other machines, so the job is tried again later, but not for ever.
    This is no failure of the job and uses up none of its retries.
    """
    reason = result.reason
    if result.cause.kind in MISSING:
        return Event.RELEASE, f"{reason}, on {result.machine}"
    tries = history.folder_faults + 1
    if tries < FOLDER_TRIES:
        return Event.RETRY, f"{reason}; try {tries + 1} of {FOLDER_TRIES}"
    return Event.FAIL, f"{reason}; tried {tries} times"


def _failure(reason: str, history: History) -> tuple[Event, str]:
    if history.failures < history.retries and not history.stop:
        return Event.RETRY, f"{reason}; retry {history.failures + 1} of {history.retries}"
    return Event.FAIL, reason


def loss(
    attempt: tuple[str, int],
    machine: str,
    why: str,
    history: History,
    max_losses: int,
    *,
    avoid: bool,
) -> Move:
    """Return the move of a job whose attempt was lost with its machine.

    A loss is no fault of the job, so it goes back to its place in the queue. But a job with which
    machine after machine dies is not tried for ever, one that must not run again has failed, and
    one that its user stopped has ended.

    Args:
        attempt: job id and attempt number.
        machine: where it ran.
        why: what became of the machine.
        history: the job's past.
        max_losses: how many losses a job survives.
        avoid: whether other machines should come first next time. A machine that has restarted
            works again, and is as good as any; one that went silent is not.
    """
    event, reason = Event.LOSE, f"lost: {why}"
    if history.stop:
        event, reason = Event.CANCEL, history.stop
    elif not history.requeue:
        event, reason = Event.GIVE_UP, reason + NOT_AGAIN
    elif history.losses >= max_losses:
        event = Event.GIVE_UP
        reason = f"kills its machine: lost {history.losses + 1} times, the last time {why}"
    return Move(
        attempt[0],
        event,
        attempt[1],
        fields={"mlq_reason": reason},
        clear=("mlq_exit_code", "mlq_stop", "mlq_wish"),
        result=_entry(event, attempt[1], machine, reason, ""),
        lost_on=machine,
        avoid=machine if avoid else "",
    )


def with_reason(move: Move, machine: str, reason: str) -> Move:
    """Return the move of an attempt that returned nothing, with another reason."""
    entry = _entry(move.event, move.attempt, machine, reason, "")
    return move._replace(fields={**move.fields, "mlq_reason": reason}, result=entry)


def refusal(attempt: tuple[str, int], machine: str, why: str, ended_at: str) -> Move:
    """Return the move of a job that the worker claimed but must not run."""
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
