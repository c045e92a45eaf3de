"""Sizes, durations and times, as typed and as shown."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlq.errors import InvalidInputError
from mlq.units import (
    format_bytes,
    format_duration,
    format_mib,
    parse_duration,
    parse_iso,
    parse_size,
    parse_start,
    utc_iso,
)


@pytest.mark.parametrize(
    ("text", "mib"),
    [
        ("8G", 8192),
        ("8g", 8192),
        ("8GB", 8192),
        ("8 GiB", 8192),
        ("512M", 512),
        ("300", 300),
        (" 300 ", 300),
        ("1.5G", 1536),
        ("1T", 2**20),
        ("1024K", 1),
        ("1025K", 2),
        ("1.1", 2),
    ],
)
def test_a_size_is_mib_rounded_up(text: str, mib: int) -> None:
    assert parse_size(text) == mib


@pytest.mark.parametrize(
    "text",
    [
        *("", "G", "8X", "-1", "+1", "8G8", "1e3", "inf", "٣G", "8\nG\n8"),
        *("0", "0G", "512K", "0.5", "9" * 15, "1" * 400),
    ],
)
def test_what_is_no_size_is_refused_by_its_name(text: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_size(text)
    assert repr(text) in caught.value.what


@given(st.integers(1, 2**30))
def test_a_size_is_shown_exactly(mib: int) -> None:
    assert parse_size(format_mib(mib)) == mib


@pytest.mark.parametrize(
    ("mib", "text"),
    [(8192, "8G"), (512, "512M"), (1536, "1.5G"), (9001, "9001M"), (1, "1M"), (1280, "1.25G")],
)
def test_a_size_is_shown_in_its_largest_exact_unit(mib: int, text: str) -> None:
    assert format_mib(mib) == text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90m", 5400),
        ("2h", 7200),
        ("1d12h", 129600),
        ("1d 12h", 129600),
        ("45s", 45),
        ("1.5h", 5400),
        ("1D2H3M4S", 93784),
    ],
)
def test_a_duration_is_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "h", "12h1d", "2h2h", "-5m", "5 5", "1w", "0", "0s", "nan", "1e9", "5m5", "10", "0.5"],
)
def test_what_is_no_duration_is_refused_by_its_name(text: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_duration(text)
    assert repr(text) in caught.value.what


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("10", "write 10m for minutes, 10s for seconds"),
        ("10:30", "as Slurm reads it, that is 10m30s: write that"),
        ("1:30:00", "as Slurm reads it, that is 1h30m: write that"),
        ("2-12", "as Slurm reads it, that is 2d12h: write that"),
        ("0-1:05", "as Slurm reads it, that is 1h5m: write that"),
    ],
)
def test_what_slurm_would_understand_is_said(text: str, fix: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_duration(text)
    assert caught.value.fix == fix


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.25, "0.2s"),
        (9.96, "10s"),
        (45, "45s"),
        (59.7, "1m"),
        (200, "3m20s"),
        (7200, "2h"),
        (7199.7, "2h"),
        (129600, "1d12h"),
        (86700, "1d"),
        (90061, "1d1h"),
        (-200, "-3m20s"),
    ],
)
def test_a_duration_is_shown_by_its_two_largest_units(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.floats(0.1, 10**9))
def test_a_shown_duration_is_close_and_can_be_typed_again(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, rel=0.05, abs=0.06)


def test_a_moment_is_shown_in_utc_with_microseconds() -> None:
    moment = datetime(2026, 11, 23, 22, 15, 1, 123456, UTC)
    assert utc_iso(moment.timestamp()) == "2026-11-23T22:15:01.123456Z"


@given(st.integers(0, 4 * 10**15))
def test_a_moment_survives_being_shown(microseconds: int) -> None:
    assert round(parse_iso(utc_iso(microseconds / 1e6)) * 1e6) == pytest.approx(microseconds, abs=1)


@given(st.integers(0, 4 * 10**9), st.integers(0, 4 * 10**9))
def test_shown_moments_sort_by_time(one: int, other: int) -> None:
    assert (utc_iso(one) < utc_iso(other)) == (one < other)


def test_iso_texts_of_others_are_read() -> None:
    assert parse_iso("1970-01-01T01:00:00+01:00") == 0
    assert parse_iso("1970-01-01T00:00:01.5") == 1.5
    with pytest.raises(InvalidInputError):
        parse_iso("yesterday")


@pytest.fixture
def london(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "GMT0BST,M3.5.0/1,M10.5.0")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


NOW = "2026-11-27T17:30:00Z"


@pytest.mark.parametrize(
    ("typed", "iso"),
    [
        ("2h", "2026-11-27T19:30:00Z"),
        ("1d12h", "2026-11-29T05:30:00Z"),
        ("18:00", "2026-11-27T18:00:00Z"),
        ("9:05:30", "2026-11-28T09:05:30Z"),
        ("17:30", "2026-11-28T17:30:00Z"),
        ("2026-12-01 09:00", "2026-12-01T09:00:00Z"),
        ("2026-12-01", "2026-12-01T00:00:00Z"),
        ("2027-07-01T09:00", "2027-07-01T08:00:00Z"),  # summer time by then
        ("2026-12-01T09:00+02:00", "2026-12-01T07:00:00Z"),
    ],
)
@pytest.mark.usefixtures("london")
def test_a_start_is_a_delay_a_time_of_day_or_a_date(typed: str, iso: str) -> None:
    assert parse_start(typed, parse_iso(NOW)) == parse_iso(iso)


@pytest.mark.parametrize(
    ("typed", "parts"),
    [
        ("2026-11-27 17:00", ["is over", "2026-11-27 17:30"]),
        ("soon", ["no time to start at", "18:00"]),
        ("25:00", ["no time to start at"]),
        ("2", ["no time to start at", "2m for minutes"]),
        ("", ["no time to start at"]),
        ("0h", ["no time to start at"]),
        ("99999-01-01", ["no time to start at"]),
    ],
)
@pytest.mark.usefixtures("london")
def test_what_is_no_start_is_refused(typed: str, parts: list[str]) -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse_start(typed, parse_iso(NOW))
    assert all(part in str(refused.value) for part in parts), str(refused.value)


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0B"), (999, "999B"), (1000, "1K"), (1300, "1.3K"), (48 << 20, "48M"), (3 << 39, "1.5T")],
)
def test_bytes_as_a_person_reads_them(count: int, text: str) -> None:
    assert format_bytes(count) == text
