"""All metrics at the step at which one was best."""

import math

from mlq.metrics.at_step import at_best
from mlq.metrics.series import Point


def point(step: float | None, at_s: float = 0.0, **values: float) -> Point:
    return Point(step, at_s, values)


def test_each_metric_has_its_newest_value_up_to_that_step() -> None:
    points = [
        point(1, loss=3.0),
        point(2, loss=2.0),
        point(2, val=1.5, acc=0.4),
        point(3, loss=1.0),
        point(4, val=1.2, acc=0.6),
        point(5, loss=0.5),
        point(6, val=1.4, acc=0.7),
        point(6, other=9.0),
    ]
    found = at_best(points, "val", "min")
    assert found is not None
    assert found.step == 4
    assert found.values == {"loss": 1.0, "val": 1.2, "acc": 0.6}
    largest = at_best(points, "acc", "max")
    assert largest is not None
    assert (largest.step, largest.values["val"]) == (6, 1.4)


def test_points_that_came_late_are_put_in_their_place() -> None:
    points = [point(1, val=1.0), point(3, val=0.5), point(5, val=0.7), point(1, loss=9.0)]
    points += [point(3, loss=4.0), point(5, loss=3.0)]
    found = at_best(points, "val", "min")
    assert found is not None
    assert found.values == {"val": 0.5, "loss": 4.0}


def test_nan_is_never_best_and_the_first_of_equals_is() -> None:
    points = [point(1, val=math.nan), point(2, val=0.5), point(3, val=0.5)]
    found = at_best(points, "val", "min")
    assert found is not None
    assert found.step == 2
    assert at_best(points[:1], "val", "min") is None
    assert at_best([], "val", "min") is None


def test_without_steps_time_tells() -> None:
    points = [point(None, 1, val=2.0), point(None, 2, loss=1.0), point(None, 3, val=1.0)]
    points.append(point(None, 4, loss=0.1))
    found = at_best(points, "val", "min")
    assert found is not None
    assert (found.step, found.values) == (None, {"val": 1.0, "loss": 1.0})
