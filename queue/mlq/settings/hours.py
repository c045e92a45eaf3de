"""The setting `hours`: when jobs may run in the mode `night`, as people type it.

Pure, and the only reader of that text: the check of the settings refuses with it what the
supervisor could not follow. Times are local and hold on each day; a day of the week is open from
midnight to midnight.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from mlq.errors import InvalidInputError

DAY_MIN = 24 * 60
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SPAN = re.compile(r"(\d\d?):(\d\d)-(\d\d?):(\d\d)", re.ASCII)
_HOUR_MIN = 60
_FIX = 'write for example: hours = "19:00-08:00 sat sun"'


class Span(NamedTuple):
    """A part of each day, which may reach into the next: `since` midnight, so many `minutes`."""

    since: int
    minutes: int


class Hours(NamedTuple):
    """When jobs may run.

    Args:
        spans: those of each day.
        days: the days that are open as a whole; 0 is Monday.
    """

    spans: tuple[Span, ...]
    days: frozenset[int] = frozenset()


def parse_hours(text: str) -> Hours:
    """Return the hours that a person typed: `19:00-08:00 sat sun`.

    Raises:
        InvalidInputError: they are empty, overlap, or cannot be understood.
    """
    spans: list[Span] = []
    days: list[int] = []
    for word in text.replace(",", " ").split():
        if word.lower() in _DAYS:
            days.append(_DAYS.index(word.lower()))
        else:
            spans.append(_span(word, text))
    if not spans and not days:
        raise _refused(text, "it is empty, and jobs would never run")
    if len(set(days)) < len(days):
        raise _refused(text, "a day is named twice")
    taken: set[int] = set()
    for since, minutes in spans:
        own = {minute % DAY_MIN for minute in range(since, since + minutes)}
        if own & taken:
            raise _refused(text, "two of its times overlap")
        taken |= own
    return Hours(tuple(spans), frozenset(days))


def _span(word: str, text: str) -> Span:
    found = _SPAN.fullmatch(word)
    if found is None:
        raise _refused(text, f"{word!r} is neither a time like 19:00-08:00 nor a day like sat")
    numbers = [int(number) for number in found.groups()]
    # A day's end is a time until which something lasts, and none from which.
    since = _minute(*numbers[:2], latest=DAY_MIN - 1, word=word, text=text)
    until = _minute(*numbers[2:], latest=DAY_MIN, word=word, text=text)
    if since == until:
        raise _refused(text, f"{word} has no length; a whole day is 00:00-24:00")
    return Span(since, (until - since) % DAY_MIN or DAY_MIN)


def _minute(hour: int, minute: int, *, latest: int, word: str, text: str) -> int:
    found = hour * _HOUR_MIN + minute
    if minute >= _HOUR_MIN or found > latest:
        raise _refused(text, f"{word}: {hour:02}:{minute:02} is no time of day")
    return found


def _refused(text: str, why: str) -> InvalidInputError:
    return InvalidInputError(f"hours = {text!r} cannot be used", why=why, fix=_FIX)
