"""How the supervisor ends a running attempt, step by step: pure, for `state`.

The attempt's first process gets SIGTERM (`audience`) and has the grace to save its state. When the
processes that got it have ended, the rest is killed. At the end of the grace all that is left gets
SIGTERM, and a moment later SIGKILL, round by round until nothing is left. A signal that its user
asked for goes out once: ahead of the time limit, or when the job is stopped and will run again;
then it has a grace of its own before SIGTERM.

Invariant: no paused attempt is signalled like this, since it would have to be resumed.
"""

from __future__ import annotations

from signal import SIGTERM

from mlq.units import format_duration
from mlq_worker.ipc.procfs import signal_name
from mlq_worker.ipc.values import Outcome, Termination
from mlq_worker.supervisor.attempt import KILL_AGAIN_S, HeldAttempt, Instructions
from mlq_worker.supervisor.notices import Notice

LAST_S = 1.0  # between SIGTERM to all and SIGKILL; no longer than the grace itself
_KILL_AGAIN_MAX_S = 2.0


def begin(
    attempt: HeldAttempt, outcome: Outcome, reason: str, at: float, out: Instructions
) -> None:
    """End an attempt that has, or will have, processes."""
    attempt.ending = (outcome, reason)
    if outcome == "lost" or attempt.most_grace_s == 0:
        attempt.term_at, attempt.rest_at, attempt.kill_at = None, None, at
    elif attempt.paused_at is None and attempt.kill_at is None:
        notify(attempt, at, out)
    kill_at = attempt.kill_at
    if kill_at is None:  # it is paused, and told once it goes on
        kill_at = at + attempt.grace_s + _last_s(attempt)
    asked_s = attempt.asked_s if outcome == "released" else None
    shortage = attempt.shortage if outcome == "overstepped" else None
    out.announce.append(Termination(attempt.id, outcome, reason, kill_at, asked_s, shortage))


def notify(attempt: HeldAttempt, at: float, out: Instructions) -> None:
    """Ask it to end; the grace begins."""
    attempt.rest_at = at + attempt.grace_s
    runs_again = attempt.ending is not None and attempt.ending[0] == "released"
    notice = _notice(attempt, or_end=True)
    if notice is not None and runs_again and not attempt.signaled:
        attempt.signaled = True
        out.notify.append(notice)
        if notice.number != SIGTERM:
            attempt.term_at = attempt.rest_at
            attempt.rest_at += attempt.grace_s
    else:
        out.terminate.append(attempt.target)
    attempt.kill_at = attempt.rest_at + _last_s(attempt)


def unheeded(attempt: HeldAttempt) -> None:
    """Note that none of its processes handles its signal: at its end they got SIGTERM instead."""
    attempt.unheeded = True
    if attempt.term_at is not None and attempt.rest_at is not None:
        attempt.rest_at, attempt.term_at = attempt.term_at, None
        attempt.kill_at = attempt.rest_at + _last_s(attempt)


def leader_ended(attempt: HeldAttempt, at: float) -> None:
    """Kill what is left soon: those that were told to end have ended."""
    if attempt.kill_at is not None and attempt.ending is not None:
        attempt.term_at = attempt.rest_at = None
        attempt.kill_at = min(attempt.kill_at, at + KILL_AGAIN_S)  # most are gone by then


def hurry(attempt: HeldAttempt, at: float) -> None:
    """Let it have no more grace: others cannot wait."""
    if attempt.ending is not None:
        attempt.term_at = attempt.rest_at = None
        attempt.kill_at = at if attempt.kill_at is None else min(attempt.kill_at, at)


def go_on(attempt: HeldAttempt, at: float, out: Instructions) -> None:
    """Do what is due for an attempt that was told to end."""
    if attempt.term_at is not None and at >= attempt.term_at:
        attempt.term_at = None
        if attempt.paused_at is None:
            out.terminate.append(attempt.target)
    if attempt.rest_at is not None and at >= attempt.rest_at:
        attempt.rest_at = None
        if attempt.paused_at is None:
            out.terminate_all.append(attempt.target)
    if attempt.kill_at is not None and at >= attempt.kill_at:
        out.kill.append(attempt.target)
        attempt.kill_at = at + attempt.kill_again_s
        attempt.kill_again_s = min(2 * attempt.kill_again_s, _KILL_AGAIN_MAX_S)


def signal_ahead(attempt: HeldAttempt, at: float, out: Instructions) -> None:
    """Send the signal that was asked for ahead of the time limit."""
    if attempt.limit_at is None:
        return  # most attempts, and this runs for all of them in each turn
    signal_at = _signal_at(attempt)
    notice = _notice(attempt, or_end=False)
    if signal_at is not None and notice is not None and at >= signal_at:
        attempt.signaled = True
        out.notify.append(notice)


def is_over_limit(attempt: HeldAttempt, at: float) -> bool:
    """Return whether its time is up."""
    return (
        attempt.limit_at is not None
        and at >= attempt.limit_at
        and attempt.ending is None
        and attempt.stands_since is None
    )


def limit_reason(attempt: HeldAttempt) -> str:
    """Return the reason for ending an attempt whose time is up."""
    reason = f"timeout after {format_duration(attempt.order.time_limit_s or 0)}"
    asked = attempt.order.signal
    if attempt.unheeded and asked is not None:
        ahead = format_duration(asked.ahead_s or 0)
        name = signal_name(asked.number)
        reason += f"; none of its processes handled {name}, sent {ahead} before"
    return reason


def due_at(attempt: HeldAttempt) -> float:
    """Return the boot time of the next step of its end; infinity if there is none."""
    times = [attempt.term_at, attempt.rest_at, attempt.kill_at]
    if attempt.limit_at is not None and attempt.stands_since is None and attempt.ending is None:
        times += [attempt.limit_at, _signal_at(attempt)]
    return min((one for one in times if one is not None), default=float("inf"))


def _signal_at(attempt: HeldAttempt) -> float | None:
    asked = attempt.order.signal
    if asked is None or asked.ahead_s is None or attempt.limit_at is None:
        return None
    if attempt.signaled or attempt.ending is not None or attempt.stands_since is not None:
        return None
    return attempt.limit_at - asked.ahead_s


def _notice(attempt: HeldAttempt, *, or_end: bool) -> Notice | None:
    asked = attempt.order.signal
    if asked is None:
        return None
    return Notice(attempt.target, asked.number, asked.first_only, or_end)


def _last_s(attempt: HeldAttempt) -> float:
    return min(LAST_S, attempt.grace_s)
