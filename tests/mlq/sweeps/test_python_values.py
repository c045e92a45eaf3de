"""What Python code gives as values, as the texts that jobs get."""

from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any

import pytest

from mlq.errors import InvalidInputError
from mlq.sweeps.python_values import as_text, grid, table


class Single(float):
    """A number that shows itself otherwise, as numpy's do."""

    def __repr__(self) -> str:
        return f"np.float64({float(self)})"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a b", "a b"),
        (1, "1"),
        (0.001, "0.001"),
        (Single(0.1), "0.1"),
        (True, "True"),
        (Decimal("0.30"), "0.30"),
        (PurePosixPath("/a"), "/a"),
    ],
)
def test_values_are_written_as_python_writes_them(value: object, text: str) -> None:
    assert as_text("x", value) == text


def test_a_grid_has_lists_and_texts_in_the_notation() -> None:
    assert grid({"lr": [1e-3, "1e-4"], "seed": range(2), "wd": "0..9", "n": 3}) == [
        ("lr", ("0.001", "1e-4")),
        ("seed", ("0", "1")),
        ("wd", "0..9"),
        ("n", ("3",)),
    ]


def test_rows_all_have_the_same_names() -> None:
    assert table(None) is None
    assert table([{"a": 1, "b": "x"}, {"b": "y", "a": 2}]) == (
        ("a", "b"),
        (("1", "x"), ("2", "y")),
    )


@pytest.mark.parametrize(
    ("make", "given", "part"),
    [
        (grid, [1], "a grid is names with values"),
        (grid, {1: [2]}, "name of a parameter is text"),
        (grid, {"x": [None]}, "neither text nor number"),
        (grid, {"x": [[1]]}, "neither text nor number"),
        (table, "lr=1", "rows are a list"),
        (table, {"a": 1}, "rows are a list"),
        (table, [], "no rows"),
        (table, [1], "a row is names with values"),
        (table, [{"a": 1}, {"a": 1, "b": 2}], "row 1 of rows has also b"),
    ],
)
def test_anything_else_is_refused(make: Any, given: object, part: str) -> None:
    with pytest.raises(InvalidInputError, match=part):
        make(given)
