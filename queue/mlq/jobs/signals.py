"""Signals that a user sends to a running job: by which names, and for whom in the job.

Any signal can be sent. Whom it reaches is decided on the job's machine, among its processes
(`mlq_worker.supervisor.audience`); this module has the words that are passed on until there.
"""

from __future__ import annotations

import signal
from enum import StrEnum

from mlq.errors import InvalidInputError


class Whom(StrEnum):
    """Who in a job gets a signal."""

    PROGRAM = "program"
    """The ranks of `srun`, or where there are none all but the script's shell."""
    SCRIPT = "script"
    """The job's first process alone."""
    ALL = "all"


def signal_number(typed: str) -> int:
    """Return the number of a signal by its name, with or without SIG, or by its number.

    Raises:
        InvalidInputError: there is no such signal.
    """
    number = number_of(typed)
    if number not in signal.valid_signals():
        raise InvalidInputError(f"no signal is called {typed!r}", fix="name one: USR1, TERM, 10")
    return number


def number_of(typed: str) -> int:
    """Return the number that is typed, or that a name means; 0 if it means none."""
    name = typed.upper().removeprefix("SIG")
    if name.isascii() and name.isdecimal() and len(name) <= 3:
        return int(name)
    if name.startswith(("RTMIN+", "RTMAX-")) and name[6:].isdecimal():
        away = int(name[6:])
        return signal.SIGRTMIN + away if name.startswith("RTMIN") else signal.SIGRTMAX - away
    return int(getattr(signal, f"SIG{name}", 0)) if name.isalnum() else 0


def is_sendable(number: int, whom: str) -> bool:
    """Return whether a request that was read from the queue can be passed on."""
    return number in signal.valid_signals() and whom in tuple(Whom)
