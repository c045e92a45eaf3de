"""The moments that sacct's `-S` and `-E` take: `now-2hours`, `2026-11-28`. Pure."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from mlq.errors import InvalidInputError

_UNIT_S = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}
_FORMS = (
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d",
    "%m/%d/%y-%H:%M:%S",
    "%m/%d/%y-%H:%M",
    "%m/%d/%y",
    "%m%d%y",
)
_OF_DAY = {"midnight": 0, "noon": 12, "fika": 15, "teatime": 16}


def midnight(now_s: float) -> float:
    """Return when this day began, unix time."""
    return _day(now_s).timestamp()


def moment_s(text: str, now_s: float) -> float:
    """Return a moment as unix time; one without a date is of today.

    Raises:
        InvalidInputError: it has none of Slurm's forms.
    """
    word = text.strip().lower()
    ahead = re.fullmatch(r"now(?:\s*([+-])\s*(\d{1,9})\s*([a-z]*))?", word, re.ASCII)
    if ahead:
        unit = (ahead[3] or "second").removesuffix("s")
        if unit in _UNIT_S:
            seconds = int(ahead[2] or 0) * _UNIT_S[unit]
            return now_s - seconds if ahead[1] == "-" else now_s + seconds
    today = _day(now_s)
    if word in ("today", "tomorrow"):
        return (today + timedelta(days=word == "tomorrow")).timestamp()
    if word in _OF_DAY:
        return today.replace(hour=_OF_DAY[word]).timestamp()
    for form in _FORMS:
        try:
            return datetime.strptime(text.strip(), form).timestamp()
        except ValueError:
            continue
    clock = re.fullmatch(r"(\d{1,2}):(\d\d)(?::(\d\d))?", word, re.ASCII)
    if clock and int(clock[1]) < 24 and int(clock[2]) < 60:
        hour, minute, second = (int(one or 0) for one in clock.groups())
        return today.replace(hour=hour, minute=minute, second=min(second, 59)).timestamp()
    raise InvalidInputError(f"Invalid time specification (pos=0): {text}")


def _day(now_s: float) -> datetime:
    return datetime.fromtimestamp(now_s).replace(hour=0, minute=0, second=0, microsecond=0)
