"""Means, and which members make up one."""

import math
import statistics

import pytest

from mlq.errors import InvalidInputError
from mlq.metrics.grouping import Mean, grouped, mean_of
from mlq.metrics.member import Member


def test_mean_and_sample_deviation() -> None:
    values = [0.91, 0.909, 0.92]
    found = mean_of(values, 5)
    assert found.mean == pytest.approx(statistics.mean(values))
    assert found.deviation == pytest.approx(statistics.stdev(values))
    assert (found.counted, found.of) == (3, 5)


def test_what_is_not_finite_does_not_count() -> None:
    assert mean_of([1.0, math.nan, math.inf], 3) == Mean(1.0, None, 1, 3)
    none = mean_of([math.nan], 1)
    assert (math.isnan(none.mean), none.counted) == (True, 0)


def test_the_largest_floats_have_a_mean() -> None:
    assert mean_of([1.7e308, 1.7e308], 2) == Mean(1.7e308, 0.0, 2, 2)
    assert mean_of([0.0, 0.0], 2) == Mean(0.0, 0.0, 2, 2)


def test_members_that_differ_in_the_seed_only_are_one_group() -> None:
    members = [
        Member(f"1_{at}", params={"lr": lr, "seed": seed})
        for at, (lr, seed) in enumerate([("0.1", "0"), ("0.3", "0"), ("0.1", "1")])
    ]
    groups = grouped([(one,) for one in members], ["seed"])
    assert [[one.id for one in group] for group in groups] == [["1_0", "1_2"], ["1_1"]]
    with pytest.raises(InvalidInputError, match="no such parameter") as error:
        grouped([(one,) for one in members], ["sed"])
    assert "lr, seed" in error.value.why
