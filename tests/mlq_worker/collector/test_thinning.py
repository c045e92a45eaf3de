"""Few enough points, and no last, least or largest value lost."""

from __future__ import annotations

import math

from mlq.metrics.extent import extents
from mlq.metrics.series import Point
from mlq_worker.collector.thinning import thinned


def test_tables_show_the_same_of_what_is_left() -> None:
    points = [Point(n, float(n), {"a": math.sin(n), "b": math.nan}) for n in range(10_000)]
    points[5001] = Point(5001, 5001.0, {"c": 1.0, "a": -7.0})
    left = thinned(points, 100)
    assert len(left) <= 107
    assert extents(left) == extents(points) or repr(extents(left)) == repr(extents(points))
    assert left == sorted(left, key=lambda one: one.at_s)
    assert thinned(points[:100], 100) == points[:100]
