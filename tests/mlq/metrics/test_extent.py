"""The last, least and largest value of each metric."""

from __future__ import annotations

import math

import pytest

from mlq.metrics.extent import Extent, extents, folded, metrics_text, parse_metrics
from mlq.metrics.series import MOST_METRICS, Point

NAN, INF = math.nan, math.inf


def points(*values: float) -> list[Point]:
    return [Point(step, 0.0, {"loss": value}) for step, value in enumerate(values)]


def test_last_least_and_largest_with_their_steps() -> None:
    assert extents(points(3, 1, 4, 2)) == {"loss": Extent(2, 3, 1, 1, 4, 2)}
    assert folded(extents(points(3, 1)), points(0, 5)) == {"loss": Extent(5, 1, 0, 0, 5, 1)}


def test_no_number_is_never_the_least() -> None:
    found = extents(points(NAN, 2, NAN))["loss"]
    assert (found.min, found.max, found.min_step) == (2, 2, 1)
    assert math.isnan(found.last)
    assert extents(points(-INF, INF))["loss"].min == -INF


def test_read_as_written() -> None:
    metrics = extents([*points(3, INF), Point(None, 1.0, {"acc": 0.5})])
    assert parse_metrics(metrics_text(metrics)) == metrics
    text = metrics_text(extents(points(NAN)))
    assert "NaN" not in text
    assert math.isnan(parse_metrics(text)["loss"].min)
    assert metrics_text({}) == ""


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"a": 1}', '{"a": [1, 2]}', '{"a": ["x", 1, 1, 1, 1, 1]}', "[" * 9999]
)
def test_what_a_job_spoilt_is_left_out(text: str) -> None:
    assert parse_metrics(text) == {}


def test_a_job_cannot_have_any_number_of_metrics() -> None:
    flood = [Point(0, 0.0, {f"m{number}": 1.0 for number in range(1000)})]
    assert len(extents(flood)) == MOST_METRICS
