"""How an attempt is paused, resumed and squeezed, for any number of reasons: pure, for `reactions`.

Invariants: an attempt runs only if no reason is left; each pause is followed by one resumption; the
clock of its time limit stands still as long as it is paused or squeezed.
"""

from __future__ import annotations

from collections.abc import Collection

from mlq_worker.guest.watch import Pause
from mlq_worker.supervisor import termination
from mlq_worker.supervisor.attempt import HeldAttempt, Instructions


def pause(attempt: HeldAttempt, why: Pause, at: float, out: Instructions) -> None:
    """Add a reason; stop the attempt if it is the first."""
    is_new = why.reason not in attempt.paused_by
    attempt.paused_by[why.reason] = why.words
    if attempt.paused_at is None:
        attempt.paused_at = at
        out.pause.append(attempt.target)
        _set_clock(attempt, at)
    if is_new:
        attempt.remember(at, f"it is paused: {why.words}")
        out.notes.append(f"{attempt.id} is paused: {why.words}")


def resume(attempt: HeldAttempt, reasons: Collection[str], at: float, out: Instructions) -> None:
    """Take reasons away; let the attempt go on if none is left."""
    for reason in reasons:
        attempt.paused_by.pop(reason, None)  # type: ignore[call-overload]
    if attempt.paused_at is None or attempt.paused_by:
        return
    attempt.paused_at = None
    out.resume.append(attempt.target)
    attempt.remember(at, "it is resumed")
    out.notes.append(f"{attempt.id} is resumed")
    _set_clock(attempt, at)
    if attempt.ending is not None and attempt.kill_at is None:
        termination.notify(attempt, at, out)


def squeeze(attempt: HeldAttempt, cores: int | None, at: float, out: Instructions) -> None:
    """Note to how many cores it is squeezed; the guest's own code has pinned it."""
    if cores == attempt.cores_now:
        return
    attempt.cores_now = cores
    what = "has all its cores again" if cores is None else f"is squeezed to {cores} cores"
    attempt.remember(at, f"it {what}")
    out.notes.append(f"{attempt.id} {what}")
    _set_clock(attempt, at)


def let_go(attempt: HeldAttempt) -> None:
    """Forget all reasons: no process of it is left."""
    attempt.paused_by.clear()
    attempt.paused_at = attempt.cores_now = attempt.stands_since = None


def _set_clock(attempt: HeldAttempt, at: float) -> None:
    stands = attempt.paused_at is not None or attempt.cores_now is not None
    if stands and attempt.stands_since is None:
        attempt.stands_since = at
    elif not stands and attempt.stands_since is not None:
        if attempt.limit_at is not None:
            attempt.limit_at += at - attempt.stands_since
        attempt.stands_since = None
