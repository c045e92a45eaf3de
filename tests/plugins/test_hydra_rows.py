"""How the overrides of Hydra's jobs become parameters of members: pure."""

from __future__ import annotations

import sys
from collections import Counter

import pytest
from users_python import REPOSITORY

sys.path.append(str(REPOSITORY / "plugins"))

from hydra_plugins.mlq_launcher._rows import grouped, key_of, rows_of, words_of


@pytest.mark.parametrize(
    ("overrides", "row"),
    [
        (["lr=1e-3", "+model.depth=[1,2]"], {"lr": "1e-3", "model.depth": "[1,2]"}),
        (["++db@backup=mysql", "~trainer"], {"db@backup": "mysql", "trainer": "(deleted)"}),
        (["x='a=b {c}'"], {"x": "'a=b {c}'"}),
        ([], {"job": "defaults"}),
        (["repeat=3"], {"job": "repeat=3"}),  # mlq's own
        (["a.b=1", "a_b=2"], {"job": "a.b=1 a_b=2"}),  # one variable in mlq
        (["_x=1"], {"job": "_x=1"}),
    ],
)
def test_overrides_are_parameters_if_mlq_can_name_them(
    overrides: list[str], row: dict[str, str]
) -> None:
    assert rows_of([overrides], Counter()) == [row]


def test_the_same_overrides_are_another_job_each_time() -> None:
    launched = Counter[str]()
    assert rows_of([["a=1"], ["a=1.0"]], launched) == [{"a": "1"}, {"a": "1.0", "again": "1"}]
    assert rows_of([["a=1"], ["a=2"]], launched) == [{"a": "1", "again": "2"}, {"a": "2"}]


def test_a_key_is_that_of_mlqs_members() -> None:
    assert key_of(["a=0.001", "b=x"]) == key_of(["b=x", "a=1e-3"])
    assert key_of(["a=007"]) != key_of(["a=7"])
    assert key_of(["a=1"]) != key_of(["a=1", "again=1"])
    assert words_of({"a": "x=y"}) == ["a=x=y"]


def test_rows_of_other_names_are_other_tables() -> None:
    rows = [{"a": "1"}, {"a": "1", "again": "1"}, {"a": "2"}]
    assert grouped(rows) == [[rows[0], rows[2]], [rows[1]]]
