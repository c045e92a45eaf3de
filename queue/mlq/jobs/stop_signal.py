"""The signal that a job gets before it is stopped: Slurm's `--signal [B:]SIG[@TIME]`.

The text is read once, when the job is enqueued; its plainest form (`USR1@60`, seconds) is stored
and signed. So the user who makes a mistake sees the error, and no worker has to guess.
"""

from __future__ import annotations

import re
import signal
from typing import NamedTuple

from mlq.errors import InvalidInputError
from mlq.jobs.signals import number_of
from mlq.units import format_duration, parse_duration

# As in Slurm: how long before the time limit the signal is sent by default.
AHEAD_S = 60.0
LONGEST_GRACE_S = 86400.0
PLAIN = r"^(B:)?[A-Z0-9+-]+(@[0-9.]+)?$"
"""The pattern of `StopSignal.text`."""

_EXAMPLES = "write for example USR1@60, SIGUSR1@5m or B:10@60"
_TYPED = re.compile(r"(?:(\w+):)?([A-Za-z0-9+-]+)(?:@(.*))?", re.ASCII)


class StopSignal(NamedTuple):
    """The signal that the user asked for.

    Args:
        name: of the signal, without SIG.
        number: of the signal.
        ahead_s: seconds before the time limit at which it is sent, at once if the limit is shorter;
            None: not ahead of a limit.
        first_only: whether only the first process gets it.
    """

    name: str
    number: int
    ahead_s: float | None
    first_only: bool

    @property
    def text(self) -> str:
        """The plainest way to write it."""
        ahead = "" if self.ahead_s is None else f"@{self.ahead_s:.15g}"
        return f"{'B:' if self.first_only else ''}{self.name}{ahead}"


def parse_stop_signal(typed: str, time_limit_s: float | None) -> StopSignal:
    """Return what was typed.

    Raises:
        InvalidInputError: it cannot be used; the message says why.
    """
    match = _TYPED.fullmatch(typed.strip())
    if match is None:
        raise InvalidInputError(f"--signal {typed!r} cannot be read", fix=_EXAMPLES)
    flag, word, time = match.groups()
    if flag not in (None, "B", "b"):
        raise InvalidInputError(
            f"--signal {typed} cannot be used", why=f"{flag}: means nothing here", fix=_EXAMPLES
        )
    number = _number(typed, word)
    ahead_s = _ahead_s(typed, time, time_limit_s)
    return StopSignal(_name(number), number, ahead_s, flag is not None)


def untimely(text: str | None, time_limit_s: float | None) -> str:
    """Return what the user should know of when a signal is sent; "" if it is as they asked.

    Args:
        text: as `StopSignal.text` wrote it; None for no signal.
        time_limit_s: of the job; None for none.
    """
    ahead_s = read_stop_signal(text).ahead_s if text else None
    if ahead_s is None:
        return ""
    if time_limit_s is None:
        asked = f"--signal {text} is sent only when the job is stopped to run again"
        return f"{asked}: it has no time limit (-t)"
    if ahead_s < time_limit_s:
        return ""
    limit = format_duration(time_limit_s)
    return f"--signal {text} is sent at the start: the time limit is only {limit}"


def read_stop_signal(text: str) -> StopSignal:
    """Return what `StopSignal.text` wrote.

    Raises:
        InvalidInputError: the text is not of that form.
    """
    return parse_stop_signal(text, float("inf") if "@" in text else None)


def seconds(typed: str) -> float:
    """Return a duration; a plain number is seconds, as in Slurm's `--signal` and in the settings.

    Raises:
        InvalidInputError: it is not a duration.
    """
    plain = re.fullmatch(r"\s*(\d{1,9}(?:\.\d{1,9})?)\s*", typed, re.ASCII)
    return float(plain[1]) if plain else parse_duration(typed)


def parse_grace(typed: str) -> float:
    """Return how many seconds a job has between SIGTERM and SIGKILL; 0 for none.

    Raises:
        InvalidInputError: it is not a duration, or too long.
    """
    grace_s = seconds(typed)
    if grace_s > LONGEST_GRACE_S:
        raise InvalidInputError(
            f"--grace {typed} cannot be used",
            why="a machine would wait longer than a day for a job to end",
        )
    return grace_s


def _number(typed: str, word: str) -> int:
    number = number_of(word)
    if number not in signal.valid_signals():
        raise InvalidInputError(
            f"--signal {typed} cannot be used", why=f"no signal is {word}", fix=_EXAMPLES
        )
    if number in (signal.SIGKILL, signal.SIGSTOP):
        raise InvalidInputError(
            f"--signal {typed} cannot be used",
            why=f"no program can handle SIG{_name(number)}",
            fix="name one that yours handles: USR1, TERM, INT",
        )
    return number


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name.removeprefix("SIG")
    except ValueError:
        return f"RTMIN+{number - signal.SIGRTMIN}"


def _ahead_s(typed: str, time: str | None, time_limit_s: float | None) -> float | None:
    if time is None:
        ahead_s = None if time_limit_s is None else AHEAD_S
    else:
        ahead_s = seconds(time)
        if not ahead_s:
            raise InvalidInputError(
                f"--signal {typed} cannot be used",
                why="the time before the limit must be more than 0",
            )
    return ahead_s
