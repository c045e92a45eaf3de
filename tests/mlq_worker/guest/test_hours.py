"""The hours of the mode `night`, over midnight, weekends and clock changes."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlq.jobs.attempt import AttemptId
from mlq.settings.hours import DAY_MIN, Hours, Span, parse_hours
from mlq.units import utc_iso
from mlq_worker.guest.hours import HAND_BACK_S, HoursWatch, Standing, standing
from mlq_worker.guest.rules import GuestRules
from mlq_worker.guest.watch import GuestAttempt
from mlq_worker.ipc.clock import Moment
from mlq_worker.ipc.procfs import Target
from mlq_worker.ipc.values import Share

NIGHT = "19:00-08:00 sat sun"
# With changes by an hour, by half an hour, at midnight, by a whole day, and none.
ZONES = (
    *("Europe/London", "America/New_York", "Australia/Lord_Howe", "Asia/Beirut"),
    *("America/Havana", "Pacific/Apia", "Asia/Kolkata", "Africa/Casablanca"),
)


@contextmanager
def zone(name: str) -> Iterator[None]:
    """Have this process live there."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = name
    time.tzset()
    try:
        yield
    finally:
        os.environ.pop("TZ")
        if before is not None:
            os.environ["TZ"] = before
        time.tzset()


def at(zone_name: str, text: str, fold: int = 0) -> float:
    local = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone_name), fold=fold)
    return local.timestamp()


@pytest.mark.parametrize(
    ("now", "is_open", "until"),
    [
        ("2026-11-25 18:59", False, "2026-11-25 19:00"),  # a Wednesday
        ("2026-11-25 19:00", True, "2026-11-26 08:00"),
        ("2026-11-26 07:59", True, "2026-11-26 08:00"),
        ("2026-11-26 08:00", False, "2026-11-26 19:00"),
        ("2026-11-27 20:00", True, "2026-11-30 08:00"),  # over the whole weekend
        ("2026-11-29 12:00", True, "2026-11-30 08:00"),
        ("2026-11-30 08:00", False, "2026-11-30 19:00"),
    ],
)
def test_a_week(now: str, is_open: bool, until: str) -> None:
    london = "Europe/London"
    with zone(london):
        found = standing(parse_hours(NIGHT), at(london, now))
    assert found == Standing(is_open, at(london, until))


def test_what_is_always_open_never_ends() -> None:
    for text in ("00:00-24:00", "mon tue wed thu fri sat sun", "08:00-20:00 20:00-08:00"):
        assert standing(parse_hours(text), time.time()) == Standing(is_open=True, until=None)


@pytest.mark.parametrize(
    ("hours", "opens", "closes"),
    [
        # Clocks go from 02:00 back to 01:00: both readings of 01:30 exist.
        ("20:00-01:30", ("2026-10-24 20:00", 0), ("2026-10-25 01:30", 0)),
        ("01:30-08:00", ("2026-10-25 01:30", 1), ("2026-10-25 08:00", 0)),
        ("20:00-08:00", ("2026-10-24 20:00", 0), ("2026-10-25 08:00", 0)),
    ],
)
def test_the_night_that_has_an_hour_twice(
    hours: str, opens: tuple[str, int], closes: tuple[str, int]
) -> None:
    london = "Europe/London"
    since, until = at(london, *opens), at(london, *closes)
    with zone(london):
        parsed = parse_hours(hours)
        assert standing(parsed, since - 1) == Standing(is_open=False, until=since)
        assert standing(parsed, since) == Standing(is_open=True, until=until)
        assert not standing(parsed, until).is_open
        assert not standing(parsed, until + 3600).is_open


def test_the_night_that_lacks_an_hour() -> None:
    london = "Europe/London"  # 2026-03-29, from 01:00 to 02:00
    with zone(london):
        night = standing(parse_hours("20:00-08:00"), at(london, "2026-03-28 20:00"))
        assert night.until == at(london, "2026-03-29 08:00")
        until = standing(parse_hours("20:00-01:30"), at(london, "2026-03-28 20:00")).until
        assert until is not None
        assert until <= at(london, "2026-03-29 02:00")


spans = st.lists(st.tuples(st.integers(0, DAY_MIN - 1), st.integers(1, DAY_MIN)), max_size=3).map(
    lambda pairs: tuple(Span(*pair) for pair in pairs)
)
hours_typed = st.builds(Hours, spans, st.frozensets(st.integers(0, 6)))


def _changes(where: str) -> list[int]:
    """The days on which the clocks of a place change, of two years."""
    here, found = ZoneInfo(where), []
    for year in (2011, 2026):  # in 2011 Samoa left a day out
        days = [int(datetime(year, 1, 1, tzinfo=here).timestamp()) + 86400 * n for n in range(365)]
        offsets = [datetime.fromtimestamp(one, here).utcoffset() for one in days]
        found += [day for day, a, b in zip(days, offsets, offsets[1:], strict=False) if a != b]
    return found or [0]


CHANGES = [(where, day) for where in ZONES for day in _changes(where)]
near_changes = st.tuples(st.sampled_from(CHANGES), st.integers(-86400, 2 * 86400)).map(
    lambda drawn: (drawn[0][0], drawn[0][1] + drawn[1])
)
anywhere = st.tuples(st.sampled_from(ZONES), st.integers(0, 2**31))
places_and_times = st.one_of(near_changes, anywhere)


@given(hours_typed, places_and_times)
def test_open_only_when_the_local_time_is_within(hours: Hours, place: tuple[str, int]) -> None:
    where, unix_s = place
    with zone(where):
        found = standing(hours, unix_s)
    if found.is_open:
        assert _is_within(hours, datetime.fromtimestamp(unix_s, ZoneInfo(where)))


@given(hours_typed, places_and_times)
def test_it_changes_when_it_says(hours: Hours, place: tuple[str, int]) -> None:
    where, unix_s = place
    with zone(where):
        found = standing(hours, unix_s)
        if found.until is None:
            assert standing(hours, unix_s + 5 * 86400).is_open == found.is_open
            return
        assert found.until > unix_s
        for part in (0.25, 0.5, 0.999):
            between = unix_s + part * (found.until - unix_s)
            assert standing(hours, between) == found
        assert standing(hours, found.until).is_open != found.is_open


@given(hours_typed, places_and_times)
def test_away_from_clock_changes_the_local_time_alone_decides(
    hours: Hours, place: tuple[str, int]
) -> None:
    where, unix_s = place
    here = ZoneInfo(where)
    around = {datetime.fromtimestamp(unix_s + 3600 * n, here).utcoffset() for n in range(-52, 53)}
    with zone(where):
        is_open = standing(hours, unix_s).is_open
    if len(around) == 1:
        assert is_open == _is_within(hours, datetime.fromtimestamp(unix_s, here))


def _is_within(hours: Hours, local: datetime) -> bool:
    minute = local.hour * 60 + local.minute
    within = any((minute - since) % DAY_MIN < minutes for since, minutes in hours.spans)
    return within or local.weekday() in hours.days


# --- the watch ------------------------------------------------------------------------------------

RULES = GuestRules(guest="night", hours=NIGHT)
JOB = GuestAttempt(AttemptId("7", 1), Target(11, 1), Share(), 0.0, "/c")


def moment(text: str, boot_s: float) -> Moment:
    return Moment(boot_s, utc_iso(datetime.fromisoformat(text).timestamp()))


def test_jobs_pause_at_the_end_and_are_handed_back() -> None:
    watch = HoursWatch()
    open_now = watch.look([JOB], RULES, moment("2026-11-26 07:59:59", 100))
    assert (open_now.demands, open_now.closed) == ({}, "")
    seen = watch.look([JOB], RULES, moment("2026-11-26 08:00:00", 101))
    assert seen.closed == "outside hours until 19:00"
    assert [one.words for one in seen.demands[JOB.id].pauses] == ["outside hours"]
    assert seen.demands[JOB.id].end is None
    late = watch.look([JOB], RULES, moment("2026-11-26 08:01:00", 101 + HAND_BACK_S))
    end = late.demands[JOB.id].end
    assert end is not None
    assert (end.outcome, end.reason) == ("released", "handed back: outside hours")
    assert not watch.look(
        [JOB._replace(is_ending=True)], RULES, moment("2026-11-26 09:00", 900)
    ).demands


def test_a_day_that_is_not_the_next_is_named() -> None:
    watch, weekend = HoursWatch(), RULES._replace(hours="sat sun")
    wednesday = watch.look([], weekend, moment("2026-11-25 12:00", 5))
    assert wednesday.closed == "outside hours until Sat 00:00"
    friday = watch.look([], weekend, moment("2026-11-27 12:00", 6))
    assert friday.closed == "outside hours until 00:00"


def test_a_clock_that_jumps_for_a_moment_hands_nothing_back() -> None:
    watch = HoursWatch()
    for second in range(600):
        wrong = 300 <= second < 330
        seen = watch.look(
            [JOB], RULES, moment("2026-11-26 14:00" if wrong else "2026-11-26 02:00", second)
        )
        assert bool(seen.demands) == wrong
        assert all(one.end is None for one in seen.demands.values())


@pytest.mark.parametrize(
    "rules",
    [RULES._replace(guest="polite"), RULES._replace(guest="mine"), RULES._replace(is_granted=True)],
)
def test_other_modes_and_allocations_have_no_hours(rules: GuestRules) -> None:
    seen = HoursWatch().look([JOB], rules, moment("2026-11-26 12:00", 5))
    assert (seen.demands, seen.closed) == ({}, "")


def test_hours_that_cannot_be_read_let_nothing_run() -> None:
    seen = HoursWatch().look([JOB], RULES._replace(hours="??"), moment("2026-11-26 02:00", 5))
    assert seen.closed == "outside hours"


@given(st.integers(0, 2**31), st.lists(st.integers(-(10**6), 10**6), max_size=30))
def test_any_clock(start_s: int, jumps: list[int]) -> None:
    watch, unix_s = HoursWatch(), float(start_s)
    for second, jump in enumerate(jumps):
        unix_s = max(0.0, unix_s + jump)
        seen = watch.look([JOB], RULES, Moment(float(second), utc_iso(unix_s)))
        assert bool(seen.demands) == bool(seen.closed)
