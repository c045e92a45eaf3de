"""Ticks that people would choose."""

import math

import pytest

from mlq_cli.render.plots.ticks import nice_ticks


@pytest.mark.parametrize(
    ("values", "most", "is_log", "ticks"),
    [
        ([0, 1990], 5, False, [0, 500, 1000, 1500]),
        ([0.11, 2.48], 5, False, [0.5, 1, 1.5, 2]),
        ([-1, 1], 5, False, [-1, -0.5, 0, 0.5, 1]),
        ([3, 3], 5, False, [3]),
        ([], 5, False, []),
        ([math.nan, math.inf], 5, False, []),
        ([0.12, 2.85], 5, True, [0.2, 0.5, 1, 2]),
        ([1e-4, 0.1], 5, True, [1e-4, 1e-3, 1e-2, 1e-1]),
        ([-1, 0, 10, 1000], 5, True, [10, 30, 100, 300, 1000]),
        ([1.1, 1.4], 5, True, [1.1, 1.4]),
    ],
)
def test_ticks(values: list[float], most: int, is_log: bool, ticks: list[float]) -> None:
    assert nice_ticks(values, most, is_log=is_log) == pytest.approx(ticks)


@pytest.mark.parametrize("is_log", [True, False])
def test_extremes_end(is_log: bool) -> None:
    for values in ([1e-300, 1e300], [5e-324, 1e-320], [1e308, -1e308], [1, 1 + 1e-15]):
        assert len(nice_ticks(values, 6, is_log=is_log)) < 12
