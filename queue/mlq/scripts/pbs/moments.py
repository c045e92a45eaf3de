"""When a PBS job may start: `-a [[[[CC]YY]MM]DD]hhmm[.SS]`, as `mlq enqueue --at` takes it."""

from __future__ import annotations

import re

from mlq.errors import InvalidInputError

_MOMENT = re.compile(r"((?:\d\d)?\d\d)?(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d\d))?", re.ASCII)
_OF_TODAY = re.compile(r"(\d\d)(\d\d)(?:\.\d\d)?", re.ASCII)


def read_moment(text: str) -> str:
    """Return a moment as `--at` takes it: an hour of the day, or a day of a year and its hour.

    Raises:
        InvalidInputError: it is none, or a day without its year, which PBS would guess.
    """
    today = _OF_TODAY.fullmatch(text)
    if today:
        return f"{today[1]}:{today[2]}"
    match = _MOMENT.fullmatch(text)
    if match is None or not match[1]:
        raise InvalidInputError(f"{text!r} is no moment", fix="write for example 202612241800")
    year = match[1] if len(match[1]) == 4 else f"20{match[1]}"
    return f"{year}-{match[2]}-{match[3]} {match[4]}:{match[5]}"
