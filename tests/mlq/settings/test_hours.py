"""The setting `hours`, as people type it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlq.errors import InvalidInputError
from mlq.settings.hours import DAY_MIN, Hours, Span, parse_hours


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("19:00-08:00 sat sun", Hours((Span(1140, 780),), frozenset({5, 6}))),
        ("Sat, SUN", Hours((), frozenset({5, 6}))),
        ("22:00-24:00 0:00-6:30", Hours((Span(1320, 120), Span(0, 390)))),
        ("00:00-24:00", Hours((Span(0, DAY_MIN),))),
        ("09:00-08:59", Hours((Span(540, DAY_MIN - 1),))),
    ],
)
def test_times_and_days(text: str, hours: Hours) -> None:
    assert parse_hours(text) == hours


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is empty"),
        (" , ", "it is empty"),
        ("25:00-08:00", "25:00-08:00: 25:00 is no time of day"),
        ("19:00-24:01", "24:01 is no time of day"),
        ("24:00-08:00", "24:00 is no time of day"),
        ("19:60-20:00", "19:60 is no time of day"),
        ("19:00-19:00", "has no length"),
        ("19:00", "'19:00' is neither a time"),
        ("19:00 - 08:00", "'19:00' is neither a time"),
        ("19:00-08:00 weekend", "'weekend' is neither"),
        ("-1:00-08:00", "neither"),
        ("١٩:00-08:00", "neither"),
        ("sat sun sat", "a day is named twice"),
        ("19:00-08:00 07:00-09:00", "overlap"),
        ("22:00-02:00 23:00-23:30", "overlap"),
        ("00:00-24:00 12:00-13:00", "overlap"),
    ],
)
def test_what_cannot_be_followed_is_refused(text: str, why: str) -> None:
    with pytest.raises(InvalidInputError, match="cannot be used") as caught:
        parse_hours(text)
    assert why in caught.value.why
    assert "19:00-08:00 sat sun" in caught.value.fix
    assert "\n" not in caught.value.what + caught.value.why


@given(st.integers(0, DAY_MIN - 1), st.integers(1, DAY_MIN - 1))
def test_a_time_lasts_as_long_as_it_says(since: int, minutes: int) -> None:
    until = (since + minutes) % DAY_MIN
    typed = f"{since // 60:02}:{since % 60:02}-{until // 60}:{until % 60:02}"
    assert parse_hours(typed).spans == (Span(since, minutes),)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse_hours(text)
    except InvalidInputError as error:
        assert error.why
