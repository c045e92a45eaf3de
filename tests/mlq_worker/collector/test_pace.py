"""The time left, from the pace of this attempt."""

from __future__ import annotations

import pytest

from mlq_worker.collector.pace import Pace


def test_the_time_left_comes_from_this_attempt_alone() -> None:
    pace = Pace().seen("bar", 1000, 0.5)  # it went on from a checkpoint
    assert pace.left_s(1000) is None
    pace = pace.seen("bar", 1100, 0.6)
    assert pace.left_s(1100) == pytest.approx(400)
    assert pace.left_s(1150) == pytest.approx(350)
    assert pace.left_s(1400) == pytest.approx(1600)  # nothing for 300 s: it has become slower


def test_a_share_that_fell_or_is_of_another_loop_begins_anew() -> None:
    pace = Pace().seen("bar", 0, 0.5).seen("bar", 10, 0.6)
    assert pace.seen("bar", 20, 0.1).left_s(20) is None
    assert pace.seen("epoch", 20, 0.7).left_s(20) is None
    assert pace.seen("bar", 20, 1.0).left_s(20) == 0
