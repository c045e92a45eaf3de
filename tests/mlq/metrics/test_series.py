"""Points: written, read back, and joined over the attempts of a job."""

from __future__ import annotations

import json
import math

import pytest

from mlq.metrics.series import (
    Point,
    curve,
    is_metric_name,
    line_of,
    merged,
    names_of,
    number_or_none,
    points_of,
)


def at(step: float | None, loss: float, at_s: float = 1.0) -> Point:
    return Point(step, at_s, {"loss": loss})


def test_a_point_is_read_as_it_was_written() -> None:
    point = Point(3, 17.25, {"loss": 0.5, "bad": math.inf, "worse": -math.inf})
    assert list(points_of(line_of(point))) == [point]
    (read,) = points_of(line_of(Point(None, 1.0, {"x": math.nan})))
    assert read.step is None
    assert math.isnan(read.values["x"])
    assert json.loads(line_of(Point(None, 1.0, {"x": math.nan}))) == {
        "at": 1.0,
        "values": {"x": "nan"},
    }


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[1]",
        b"7",
        b'{"at": 1}',
        b'{"at": 1, "values": [1]}',
        b'{"at": 1, "values": {"a": "high"}}',
        b'{"at": NaN, "values": {"a": 1}}',
        b'{"step": 1e999, "at": 1, "values": {"a": 1}}',
        b'{"at": 1, "values": {"a\\u001b": 1}}',
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_a_line_that_is_no_point_is_left_out(line: bytes) -> None:
    good = line_of(at(1, 0.5))
    assert list(points_of(good + line + b"\n" + good)) == [at(1, 0.5)] * 2


def test_steps_that_were_repeated_after_a_resume_are_replaced() -> None:
    first = [at(step, 1.0) for step in (0, 10, 20, 30)]
    second = [at(step, 2.0) for step in (20, 30, 40)]
    found = merged([first, second])
    assert [(one.step, one.values["loss"]) for one in found] == [
        (0, 1.0),
        (10, 1.0),
        (20, 2.0),
        (30, 2.0),
        (40, 2.0),
    ]
    assert merged([first, []]) == first
    # One metric is counted in epochs, another in batches.
    old = [Point(3, 1.0, {"loss": 1.0, "x": 1.0}), Point(900, 1.0, {"batch": 1.0})]
    new = [Point(2, 2.0, {"loss": 2.0}), Point(901, 2.0, {"batch": 2.0})]
    assert merged([old, new]) == [Point(3, 1.0, {"x": 1.0}), old[1], *new]
    # Without steps nothing is known to be a repetition.
    assert len(merged([[at(None, 1.0)], [at(None, 2.0)]])) == 2


def test_the_curve_of_one_metric() -> None:
    points = [at(0, 1.0), Point(0, 2.0, {"acc": 0.1}), at(1, 0.5)]
    assert [value for _, value in curve(points, "loss")] == [1.0, 0.5]
    assert names_of(points) == ["loss", "acc"]


def test_what_counts_as_a_number() -> None:
    assert number_or_none(True) is None
    assert number_or_none(10**400) is None
    assert number_or_none("0.5") is None
    assert number_or_none("-inf") == -math.inf
    assert [is_metric_name(one) for one in ("a/b c", "", "a\n", "x" * 101, 3)] == [
        True,
        False,
        False,
        False,
        False,
    ]
