"""What counts as a metric, a step and a time among names with values."""

from __future__ import annotations

import math

import pytest

from mlq.metrics.series import Point
from mlq_worker.collector.sources.values import number_of, point_of


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1, 1.0),
        (0.5, 0.5),
        ("0.5", 0.5),
        (" -1e-05 ", -1e-5),
        ("5.", 5.0),
        ("inf", math.inf),
        ("-inf", -math.inf),
        (True, None),
        (None, None),
        ("", None),
        ("1_000", None),
        ("0x10", None),
        ("½", None),
        ("٣", None),
        ("1" * 41, None),
        (10**400, None),
        ([1], None),
    ],
)
def test_a_number_is_a_number_also_as_a_text(value: object, number: float | None) -> None:
    assert number_of(value) == number


def test_a_text_of_nan_is_a_number() -> None:
    assert math.isnan(number_of("nan") or 0)


def test_the_first_name_of_a_step_is_the_step_and_none_of_them_a_metric() -> None:
    raw = {"Epoch": "1.5", "global_step": 30, "loss": 0.5, "epoch": 2}
    point = point_of(raw)
    assert point is not None
    assert (point.step, point.values) == (30, {"loss": 0.5})
    only_epoch = point_of({"epoch": "1.5", "loss": "0.5"})
    assert only_epoch is not None
    assert only_epoch.step == 1.5


def test_a_time_is_no_metric_but_a_duration_is() -> None:
    assert point_of({"time": 1.8e9, "loss": 1}) == Point(None, 1.8e9, {"loss": 1})
    point = point_of({"time": 12.5, "timestamp": "2026-11-01", "_runtime": 3, "lineno": 7})
    assert point is not None
    assert point.values == {"time": 12.5}
    assert math.isnan(point.at_s)


def test_what_is_nested_has_the_names_above_it_but_not_without_end() -> None:
    raw = {"train": {"loss": 1, "deep": {"er": 2, "and": {"deeper": 3}}}, "video": {"_type": "x"}}
    point = point_of(raw)
    assert point is not None
    assert point.values == {"train/loss": 1, "train/deep/er": 2}


def test_names_that_cannot_be_shown_and_values_that_are_none_are_left_out() -> None:
    raw = {"a\x1b[2J": 1, "x" * 101: 1, "": 1, 3: 1, "b": "no", "c": None, "d": True}
    assert point_of(raw) is None  # type: ignore[arg-type]


def test_the_number_of_values_is_bounded() -> None:
    point = point_of({f"m{number}": number for number in range(10_000)})
    assert point is not None
    assert len(point.values) == 200
