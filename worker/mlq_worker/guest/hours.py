"""The hours of the mode `night`: outside them jobs pause, and are then handed back.

People say local times, so the local time decides, also over a clock change: a time that comes twice
or not at all that night makes the hours shorter, never longer. A clock that jumps only pauses jobs:
they are handed back once it has been outside hours for `HAND_BACK_S` of boot time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from mlq.errors import InvalidInputError
from mlq.settings.hours import DAY_MIN, Hours, Span, parse_hours
from mlq.units import parse_iso
from mlq_worker.guest.rules import GuestRules
from mlq_worker.guest.watch import Demand, End, GuestAttempt, Pause, Seen
from mlq_worker.ipc.clock import Moment

HAND_BACK_S = 60.0
WORDS = "outside hours"

_AHEAD_DAYS = 9  # a week, and the days that touch it
_LONGEST = timedelta(days=8)  # what is open for longer never closes
_WHOLE_DAY = Span(0, DAY_MIN)
_MINUTE_S = 60
_DAY_S = 86400


class Standing(NamedTuple):
    """Whether jobs may run, and the unix time at which that changes; None: never."""

    is_open: bool
    until: float | None


def standing(hours: Hours, unix_s: float) -> Standing:
    """Return whether the hours are open at a time, and until when."""
    near = datetime.fromtimestamp(unix_s)  # as people at this machine read it
    for since, until in _opened(hours, near):
        if unix_s < since:
            return Standing(is_open=False, until=since)
        if unix_s < until:
            ends = until < (near + _LONGEST).timestamp()
            return Standing(is_open=True, until=until if ends else None)
    return Standing(is_open=False, until=None)


def _opened(hours: Hours, near: datetime) -> Iterator[tuple[float, float]]:
    """Yield, in order, between which unix times jobs may run around a local time."""
    midnight = near.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    parts: list[tuple[datetime, datetime]] = []
    for number in range(-2, _AHEAD_DAYS + 1):
        day = midnight + timedelta(days=number)
        spans = [*hours.spans, *([_WHOLE_DAY] if day.weekday() in hours.days else [])]
        for since, minutes in spans:
            begin = day + timedelta(minutes=since)
            parts.append((begin, begin + timedelta(minutes=minutes)))
    for begin, end in _merged(sorted(parts)):
        opens = max(begin.replace(fold=fold).timestamp() for fold in (0, 1))
        closes = min(end.replace(fold=fold).timestamp() for fold in (0, 1))
        if opens < closes:
            yield opens, closes


def _merged(parts: Sequence[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    merged: list[tuple[datetime, datetime]] = []
    for begin, end in parts:
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((begin, end))
    return merged


def _shown(until: float, unix_s: float) -> str:
    """Return a local time, with its day if it is not within one: `19:00`, `Sat 00:00`."""
    at = datetime.fromtimestamp(until)
    return f"{at:%H:%M}" if until - unix_s < _DAY_S else f"{at:%a %H:%M}"


class HoursWatch:
    """Keeps the jobs of the mode `night` inside its hours."""

    def __init__(self) -> None:
        self._closed_since: float | None = None
        self._known: tuple[str, int] = ("", -1)
        self._standing = Standing(is_open=True, until=None)

    def look(self, attempts: Sequence[GuestAttempt], rules: GuestRules, now: Moment) -> Seen:
        """Demand that jobs pause outside hours, and that they are then handed back."""
        # In an allocation the batch system has said until when.
        if rules.guest != "night" or rules.is_granted:
            self._closed_since = None
            return Seen()
        unix_s = parse_iso(now.utc)
        is_open, until = self._now(rules.hours, unix_s)
        if is_open:
            self._closed_since = None
            return Seen()
        if self._closed_since is None or self._closed_since > now.at:
            self._closed_since = now.at
        is_over = now.at - self._closed_since >= HAND_BACK_S
        end = End("released", f"handed back: {WORDS}") if is_over else None
        demand = Demand((Pause("hours", WORDS),), end=end)
        said = WORDS if until is None else f"{WORDS} until {_shown(until, unix_s)}"
        return Seen(
            demands={one.id: demand for one in attempts if not one.is_ending},
            notes=(said,),
            closed=said,
        )

    def _now(self, text: str, unix_s: float) -> Standing:
        """Return the standing; all boundaries are at whole minutes, so it holds for one."""
        known = (text, int(unix_s // _MINUTE_S))
        if known != self._known:
            try:
                self._standing = standing(parse_hours(text), unix_s)
            except (InvalidInputError, OverflowError, OSError, ValueError):
                # The worker refuses such hours; nothing says that jobs may run.
                self._standing = Standing(is_open=False, until=None)
            self._known = known
        return self._standing
