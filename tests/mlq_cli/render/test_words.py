"""Times, sizes and ids read as people write them."""

from datetime import datetime, timedelta, timezone

import pytest

from mlq_cli.render.words import about, count, elapsed, listed, moment, percent

NOW = datetime(2026, 11, 23, 14, 30, tzinfo=timezone(timedelta(hours=2)))


@pytest.mark.parametrize(
    ("iso", "shown"),
    [
        ("2026-11-23T12:05:09.123456Z", "14:05:09"),
        ("2026-11-22T22:30:00Z", "00:30:00"),
        ("2026-11-22T12:05:00Z", "22 Nov 14:05"),
        ("2024-11-22T12:05:00Z", "22 Nov 2024"),
        ("2026-11-23T12:05:09", "14:05:09"),
    ],
)
def test_moments_are_local_and_short(iso: str, shown: str) -> None:
    assert moment(iso, NOW) == shown


@pytest.mark.parametrize(
    ("mib", "shown"),
    [(512, "512M"), (1024, "1G"), (11264, "11G"), (10957, "10.7G"), (200000, "195G")],
)
def test_measured_sizes_are_rounded(mib: int, shown: str) -> None:
    assert about(mib) == shown


def test_time_never_runs_backwards_on_the_screen() -> None:
    assert elapsed(-3.2) == "0s"
    assert elapsed(59.9) == "59s"
    assert elapsed(5400) == "1h30m"


def test_a_job_is_whole_only_when_it_is() -> None:
    assert [percent(share) for share in (None, 0.0, 0.999, 1.0)] == ["", "0%", "99%", "100%"]


def test_ids_in_a_row_become_a_range() -> None:
    assert listed(["1", "2", "3", "7", "8", "1042_1", "1042_2"]) == "1-3, 7, 8, 1042_1, 1042_2"
    assert listed(["7_9", "7_10", "7_11", "8_12", "12"]) == "7_9-11, 8_12, 12"
    assert listed([]) == ""


def test_counts_agree_in_number() -> None:
    assert [count(n, "job") for n in (0, 1, 2)] == ["0 jobs", "1 job", "2 jobs"]
