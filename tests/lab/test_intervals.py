"""The judge itself: from ticks to intervals, from intervals to overlaps."""

from __future__ import annotations

from pathlib import Path

from intervals import GAP_S, Interval, Overlap, intervals, overlaps, read_ticks

TICK_S = 0.05


def ticking(begin_s: float, end_s: float) -> list[float]:
    """Return ticks without a pause; times are whole tenths of a second."""
    return [begin_s + n * TICK_S for n in range(round((end_s - begin_s) / TICK_S) + 1)]


def test_a_pause_splits_what_ran() -> None:
    found = intervals([*ticking(0, 2), *ticking(5, 6)])
    assert found == [Interval(0, 2), Interval(5, 6)]


def test_a_late_tick_is_no_pause() -> None:
    assert intervals([0.0, GAP_S]) == [Interval(0, GAP_S)]


def test_attempts_one_after_the_other_do_not_overlap() -> None:
    assert overlaps("1", {1: ticking(0, 2), 2: ticking(2.1, 4)}) == []


def test_a_paused_attempt_overlaps_nothing() -> None:
    assert overlaps("1", {1: [*ticking(0, 2), *ticking(7, 8)], 2: ticking(3, 6)}) == []


def test_two_at_once_overlap_for_so_long() -> None:
    (found,) = overlaps("1", {1: ticking(0, 3), 2: ticking(2, 5)})
    assert (found.job_id, found.attempts, found.begin_s) == ("1", (1, 2), 2)
    assert abs(found.length_s - 1) < TICK_S


def test_a_single_tick_inside_another_attempt_counts() -> None:
    late = {1: [*ticking(0, 2), 5.0], 2: ticking(4, 6), 3: ticking(7, 8)}
    assert overlaps("1", late) == [Overlap("1", (1, 2), 0.0, 5.0)]


def test_ticks_are_read_by_job_and_attempt(tmp_path: Path) -> None:
    (tmp_path / "1042_7.2").write_text("1.500\n1.550\n")
    (tmp_path / "1042_7.1").write_text("0.500\n")
    assert read_ticks(tmp_path) == {"1042_7": {1: [0.5], 2: [1.5, 1.55]}}
