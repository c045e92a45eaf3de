"""Bars and curves made of characters."""

import math

import pytest

from mlq_cli.top.bars import curve, share_bar, states_bar, thinned

INF = math.inf


@pytest.mark.parametrize(
    ("share", "drawn"),
    [(0, "····"), (0.5, "██··"), (0.53, "██▏·"), (1, "████"), (7, "████"), (-1, "····")],
)
def test_a_share_fills_its_part_of_the_bar(share: float, drawn: str) -> None:
    assert "".join(part.text for part in share_bar(share, 4, "busy")) == drawn


def test_each_state_of_a_sweep_has_its_colour_and_its_sign() -> None:
    parts = states_bar({"done": 2, "running": 1, "failed": 1, "queued": 4}, 8)
    assert [(one.text, one.kind) for one in parts] == [
        ("██", "good"),
        ("▒", "busy"),
        ("x", "bad"),
        ("····", "faint"),
    ]


def test_a_curve_is_as_large_as_wanted_and_joins_its_points() -> None:
    drawn = curve([float(one) for one in range(100)], 10, 4)
    assert [len(line) for line in drawn] == [10] * 4
    assert drawn[0].strip()
    assert drawn[-1].strip()
    steep = curve([0.0, 1.0], 1, 3)
    assert all(line.strip() for line in steep)


@pytest.mark.parametrize("values", [[], [math.nan], [1.0], [1e308, -1e308], [5.0, 5.0], [INF]])
def test_no_values_and_odd_ones_do_no_harm(values: list[float]) -> None:
    assert len(curve(values, 5, 2)) == 2


def test_many_values_become_means_of_equal_stretches() -> None:
    assert thinned([1, 3, 5, 7], 2) == [2, 6]
    assert len(thinned([float(one) for one in range(100_000)], 200)) == 200
