"""Curves in one line."""

from __future__ import annotations

import math

import pytest

from mlq_cli.render.sparkline import sparkline


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([], ""),
        ([3.0], "▁"),
        ([1.0, 1.0], "▁▁"),
        ([0, 1, 2, 3, 4, 5, 6, 7], "▁▂▃▄▅▆▇█"),
        ([0.0, math.nan, 1.0], "▁ █"),
        ([math.nan, math.inf], "  "),
        ([-1e308, 1e308], "▁█"),
    ],
)
def test_values_become_blocks(values: list[float], shown: str) -> None:
    assert sparkline(values, 20) == shown


def test_many_values_are_averaged() -> None:
    assert sparkline([0.0, 0.0, 1.0, 1.0], 2) == "▁█"
    assert len(sparkline([float(one) for one in range(1000)], 24)) == 24
    assert sparkline([math.nan, 1.0, 3.0, 5.0], 2) == "▁█"


def test_the_scale_may_be_given() -> None:
    assert sparkline([0.5], 5, least=0, most=1) == "▅"
    assert sparkline([-3.0, 9.0], 5, least=0, most=1) == "▁█"
