"""How far a clock is off the queue's, and what is said of it."""

import pytest

from mlq.machines.health import clock_in_words, offset_s, told_by

DAY_S = 86400.0


@pytest.mark.parametrize(
    ("sent_utc_s", "took_s", "server_s", "expected"),
    [
        (1000.0, 0.0, 1000.0, 0.0),
        (1000.0, 4.0, 1002.0, 0.0),  # half the round trip is the way there
        (1000.0, 0.0, 900.0, 100.0),
        (1000.0, 0.0, 1100.0, -100.0),
        (1000.0, 0.0, 0.0, None),  # it did not say
        (1000.0, 60.0, 1030.0, None),  # too slow to tell
        (1000.0, -1.0, 1000.0, None),
    ],
)
def test_the_offset_is_taken_at_the_middle_of_the_round_trip(
    sent_utc_s: float, took_s: float, server_s: float, expected: float | None
) -> None:
    assert offset_s(sent_utc_s, took_s, server_s) == expected


def test_it_is_told_in_words_from_half_a_minute_on() -> None:
    assert clock_in_words(30) == clock_in_words(-30) == ""
    assert clock_in_words(100 * DAY_S) == "its clock is 100d ahead of the queue's"
    assert clock_in_words(-31) == "its clock is 31s behind the queue's"


@pytest.mark.parametrize(
    "altered", [{}, {"clock_off_s": None}, {"clock_off_s": "x"}, {"clock_off_s": 1e99}]
)
def test_a_record_that_does_not_say_says_nothing(altered: dict[str, object]) -> None:
    assert told_by(altered) == ""
