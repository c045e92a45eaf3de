"""Curves against steps and time, smoothed, thinned and averaged."""

import math

import pytest

from mlq.metrics.averaging import Curve, curve_of, mean_curve, smoothed, thinned, while_running
from mlq.metrics.series import Point


def test_time_runs_while_the_job_runs() -> None:
    first = [Point(1, 1000.0, {"a": 1}), Point(2, 1010.0, {"a": 2}), Point(3, 1020.0, {"a": 3})]
    second = [Point(3, 9010.0, {"a": 4}), Point(4, 9020.0, {"a": 5})]
    points = while_running([first, second], 9000.0)
    assert [(one.step, one.at_s) for one in points] == [(1, 0), (2, 10), (3, 20), (4, 30)]
    assert [one.values["a"] for one in points] == [1, 2, 4, 5]
    (alone,) = while_running([first[:1]], 940.0)
    assert alone.at_s == 60.0
    assert while_running([], 1.0) == while_running([[]], None) == []


def test_a_curve_never_runs_backwards_and_needs_no_steps() -> None:
    points = [Point(2, 5, {"a": 1}), Point(1, 6, {"a": 2}), Point(2, 7, {"a": 3})]
    assert curve_of(points, "a", "step") == Curve((1, 2), (2, 3))
    assert curve_of(points, "a", "time") == Curve((5, 6, 7), (1, 2, 3))
    without = [Point(None, 5, {"a": 1}), Point(None, 6, {"b": 2}), Point(None, 7, {"a": 3})]
    assert curve_of(without, "a", "step") == Curve((1, 2), (1, 3))


def test_smoothing_has_no_bias_towards_the_first_value() -> None:
    assert smoothed([5.0] * 4, 0.9) == pytest.approx([5.0] * 4)
    assert smoothed([1.0, 3.0], 0.0) == [1.0, 3.0]
    found = smoothed([0.0, math.nan, 1.0], 0.5)
    assert math.isnan(found[1])
    assert found[2] == pytest.approx(1 / 1.5)


def test_thinning_keeps_ends_peaks_and_breaks() -> None:
    xs = tuple(float(at) for at in range(100_000))
    ys = [math.sin(x / 1000) for x in xs]
    ys[70_001], ys[33_333] = 50.0, math.nan
    found = thinned(Curve(xs, tuple(ys)), 1000)
    assert len(found.xs) <= 1102
    assert (found.xs[0], found.xs[-1]) == (0.0, 99_999.0)
    assert 50.0 in found.ys
    assert any(map(math.isnan, found.ys))
    assert list(found.xs) == sorted(found.xs)


def test_a_mean_of_curves_takes_no_run_where_it_has_not_been() -> None:
    whole, short = Curve((0, 1, 2, 3), (0, 1, 2, 3)), Curve((0, 2), (2, 4))
    xs, means = mean_curve([whole, short])
    assert xs == (0, 1, 2, 3)
    assert [one.mean for one in means] == [1, 2, 3, 3]
    assert [one.counted for one in means] == [2, 2, 2, 1]
    assert means[-1].deviation is None


def test_a_mean_of_curves_leaves_out_what_is_not_finite() -> None:
    xs, means = mean_curve([Curve((0, 1, 2), (1, math.nan, 3)), Curve((0, 1, 2), (3, 3, math.inf))])
    assert xs == (0, 1, 2)
    assert [(one.mean, one.counted) for one in means] == [(2, 2), (3, 1), (3, 1)]
    assert mean_curve([Curve((0,), (math.nan,))]) == ((), [])


def test_of_many_places_a_mean_has_some_hundred() -> None:
    same = tuple(float(at) for at in range(5000))
    xs, _ = mean_curve([Curve(same, same), Curve(same, same)])
    assert 200 < len(xs) <= 400
    assert set(xs) <= set(same)
    other = tuple(at + 0.5 for at in same)
    xs, means = mean_curve([Curve(same, same), Curve(other, other)])
    assert 200 < len(xs) <= 400
    assert all(one.mean == pytest.approx(x) for x, one in zip(xs, means, strict=True))
