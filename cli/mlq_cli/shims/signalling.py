"""Sends running jobs a signal, for `scancel --signal`.

The signal goes to the present attempt of each job, once. What a job does with it, as to save its
state and to ask to be queued again, is its own business.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mlq.errors import InvalidInputError
from mlq.jobs.lifecycle import ENDED
from mlq.jobs.signals import Whom, signal_number
from mlq.store.signals import ask_to_signal

if TYPE_CHECKING:
    from mlq.api.queue import Queue
    from mlq.jobs.view import JobView

INVALID = "Invalid job id specified"
_WAITS = "Job can not be altered now, try again later"
_FULL = "Too many signals are on their way to it, try again later"


def signal_of(typed: str) -> int:
    """Return the number of a signal.

    Raises:
        InvalidInputError: there is no such signal.
    """
    try:
        return signal_number(typed)
    except InvalidInputError:
        raise InvalidInputError(f"Unknown job signal: {typed}") from None


def send(queue: Queue, jobs: Iterable[JobView], number: int, whom: Whom) -> dict[str, str]:
    """Send running jobs a signal; return what Slurm says of each of the others, by id."""
    states = {one.id: one.state for one in jobs}
    done = ask_to_signal(queue.store, list(states), number, whom)
    others = {
        job: INVALID if state in ENDED else _WAITS
        for job, state in states.items()
        if job not in {*done.asked, *done.full}
    }
    return {**others, **dict.fromkeys(done.full, _FULL)}
