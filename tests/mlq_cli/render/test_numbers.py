"""Numbers as people read them."""

import math

import pytest

from mlq.metrics.grouping import Mean
from mlq_cli.render.numbers import mean, number, numbers


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.91344, "0.9134"),
        (12.3456, "12.35"),
        (0.5, "0.5000"),
        (123456.0, "123456"),
        (1234.5, "1234"),
        (0.0123456, "0.01235"),
        (1.2e-5, "1.200e-05"),
        (-3.5e9, "-3.500e+09"),
        (0.0, "0"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        (9.99999, "10.00"),
        (5e-324, "4.941e-324"),
    ],
)
def test_a_number_has_four_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_points_stand_below_each_other() -> None:
    shown = numbers([0.5, 12.345, None, math.nan])
    right = [text.rjust(8) for text in shown if "." in text]
    assert len({text.index(".") for text in right}) == 1
    assert numbers([3.0, 60.0, 123456.0]) == ["3", "60", "123456"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Mean(0.91344, 0.00432, 3, 5), "0.913 ± 0.004 (3/5)"),
        (Mean(0.91344, 0.0143, 5, 5), "0.913 ± 0.014 (5/5)"),
        (Mean(0.5, None, 1, 5), "0.5000 (1/5)"),
        (Mean(math.nan, None, 0, 5), "(0/5)"),
        (Mean(0.5, 0.0, 2, 2), "0.5000 ± 0 (2/2)"),
        (Mean(1.234e-6, 3e-7, 2, 2), "(1.23 ± 0.30)e-06 (2/2)"),
        (Mean(1234.5, 56.0, 2, 2), "1234 ± 56 (2/2)"),
        (Mean(0.001, 2.0, 2, 2), "0.0 ± 2.0 (2/2)"),
    ],
)
def test_a_mean_ends_where_its_deviation_does(value: Mean, text: str) -> None:
    assert mean(value) == text
