"""`--signal` and `--grace`: what may be typed, and what each mistake is answered."""

from __future__ import annotations

import pytest

from mlq.errors import InvalidInputError
from mlq.jobs.stop_signal import parse_grace, parse_stop_signal, read_stop_signal


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
        ("USR1@60", None, "needs a time limit"),
        ("USR1@60", 60, "60 s|1m before a limit of 1m"),
        ("USR1", 30, "1m before a limit of 30s"),
        ("USR1@0", 3600, "more than 0"),
        ("USR1@soon", 3600, "not a duration"),
        ("USR1@", 3600, "not a duration"),
    ],
)
def test_what_makes_no_sense_is_refused(typed: str, limit_s: float | None, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        parse_stop_signal(typed, limit_s)


def test_a_grace_is_a_duration_of_at_most_a_day() -> None:
    assert [parse_grace(one) for one in ("0", "30", "1.5", "5m")] == [0, 30, 1.5, 300]
    for typed in ("-1", "soon", "", "25h", "1e9"):
        with pytest.raises(InvalidInputError):
            parse_grace(typed)
