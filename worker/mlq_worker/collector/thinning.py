"""Keeps the points of one look few enough, without losing what a table shows."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mlq.metrics.series import Point

MOST_POINTS = 5000


def thinned(points: Sequence[Point], most: int = MOST_POINTS) -> list[Point]:
    """Return about `most` points, evenly, with the last, least and largest of each metric."""
    if len(points) <= most:
        return list(points)
    keep = {number * len(points) // most for number in range(most)}
    last: dict[str, int] = {}
    least: dict[str, tuple[float, int]] = {}
    largest: dict[str, tuple[float, int]] = {}
    for number, point in enumerate(points):
        for name, value in point.values.items():
            last[name] = number
            if math.isnan(value):
                continue
            if name not in least or value < least[name][0]:
                least[name] = value, number
            if name not in largest or value > largest[name][0]:
                largest[name] = value, number
    keep.update(last.values())
    keep.update(number for _, number in (*least.values(), *largest.values()))
    return [points[number] for number in sorted(keep)]
