"""`--signal` and `--grace`: what may be typed, and what each mistake is answered."""

from __future__ import annotations

import pytest

from mlq.errors import InvalidInputError
from mlq.jobs.stop_signal import parse_grace, parse_stop_signal, read_stop_signal, untimely


@pytest.mark.parametrize(
    ("typed", "limit_s", "text", "number"),
    [
        ("USR1@90", 3600, "USR1@90", 10),
        ("SIGUSR1@2m", 3600, "USR1@120", 10),
        ("10@1.5", 3600, "USR1@1.5", 10),
        ("usr1", 3600, "USR1@60", 10),  # as in Slurm
        ("USR1", None, "USR1", 10),
        ("B:TERM@60", 3600, "B:TERM@60", 15),
        ("RTMIN+3", None, "RTMIN+3", 37),
        ("35", None, "RTMIN+1", 35),
        ("USR1@90", 60, "USR1@90", 10),
        ("USR1@90", None, "USR1@90", 10),  # a limit may come by `mlq edit`
    ],
)
def test_signals_are_written_as_for_slurm(
    typed: str, limit_s: float | None, text: str, number: int
) -> None:
    found = parse_stop_signal(typed, limit_s)
    assert (found.text, found.number) == (text, number)
    assert read_stop_signal(text) == found


@pytest.mark.parametrize(
    ("typed", "limit_s", "message"),
    [
        ("", None, "cannot be read"),
        ("@60", 3600, "cannot be read"),
        ("HUSR", None, "no signal is HUSR"),
        ("0", None, "no signal is 0"),
        ("32", None, "no signal is 32"),
        ("99999", None, "no signal is 99999"),
        ("RTMIN+99", None, "no signal is"),
        ("KILL@60", 3600, "no program can handle SIGKILL"),
        ("19", 3600, "no program can handle SIGSTOP"),
        ("R:USR1@60", 3600, "R: means nothing here"),
        ("USR1@0", 3600, "more than 0"),
        ("USR1@soon", 3600, "not a duration"),
        ("USR1@", 3600, "not a duration"),
    ],
)
def test_what_makes_no_sense_is_refused(typed: str, limit_s: float | None, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        parse_stop_signal(typed, limit_s)


@pytest.mark.parametrize(
    ("text", "limit_s", "message"),
    [
        (None, 60, ""),
        ("USR1", None, ""),
        ("USR1@90", 91, ""),
        ("USR1@90", 60, "--signal USR1@90 is sent at the start: the time limit is only 1m"),
        ("USR1@60", 60, "--signal USR1@60 is sent at the start: the time limit is only 1m"),
        ("B:USR1@90", None, "--signal B:USR1@90 is sent only when the job is stopped to run again"),
    ],
)
def test_a_signal_at_another_time_than_its_user_may_expect_is_said(
    text: str | None, limit_s: float | None, message: str
) -> None:
    said = untimely(text, limit_s)
    assert said.startswith(message)
    assert bool(said) == bool(message)


def test_a_grace_is_a_duration_of_at_most_a_day() -> None:
    assert [parse_grace(one) for one in ("0", "30", "1.5", "5m")] == [0, 30, 1.5, 300]
    for typed in ("-1", "soon", "", "25h", "1e9"):
        with pytest.raises(InvalidInputError):
            parse_grace(typed)
