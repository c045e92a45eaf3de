"""Rows of a table, from CSV and JSON, as they stand there."""

import pytest

from mlq.errors import InvalidInputError
from mlq.sweeps.array import parse as parse_array
from mlq.sweeps.rows import parse


@pytest.mark.parametrize(
    "text",
    [
        "lr,note\n1e-3,a b\n0.10,\n",
        "lr, note\r\n1e-3, a b\r\n\r\n0.10,\r\n",
        'lr,note\n"1e-3","a b"\n0.10,""',
        "lr\tnote\n1e-3\ta b\n0.10\t\n",
        '{"lr": 1e-3, "note": "a b"}\n\n{"note": "", "lr": 0.10}\n',
        ' [{"lr": 1e-3, "note": "a b"},\n {"lr": "0.10", "note": ""}]',
    ],
)
def test_each_kind_of_table(text: str) -> None:
    table = parse("t", text)
    assert table.names == ("lr", "note")
    assert table.rows == (("1e-3", "a b"), ("0.10", ""))


def test_what_else_json_holds_is_json() -> None:
    table = parse("t", '{"a": true, "b": null, "c": [1.50, {"x": "é"}], "d": NaN}')
    assert table.rows == (("true", "null", '[1.50,{"x":"é"}]', "NaN"),)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ["t has no rows"]),
        ("lr,wd\n", ["t has no rows"]),
        ("[]", ["t has no rows"]),
        ("{}", ["t has no rows"]),
        ("lr,wd\n1\n", ["line 2 of t has 1 value", "names 2: lr, wd"]),
        ("lr,wd\n1,2\n1,2,3\n", ["line 3 of t has 3 values"]),
        ('{"a": 1}\n{"b": 1}\n', ["line 2 of t lacks a", "first row has a"]),
        ('[{"a": 1}, {"a": 1, "b": 2}]', ["row 2 of t has also b"]),
        ('{"a": 1, "a": 2}', ["line 1 of t has the parameter a twice"]),
        ('{"a": 1}\n[1]\n', ["line 2 of t is no object"]),
        ("[1]", ["row 1 of t is no object"]),
        ("[{", ["t is not JSON"]),
        ("{\n", ["line 1 of t is not JSON"]),
        ("[" * 100_000, ["t is not JSON"]),
        ("a\n" + "x" * 200_000, ["cannot be read as CSV"]),
    ],
)
def test_a_table_with_a_gap_is_refused_with_its_place(text: str, parts: list[str]) -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse("t", text)
    assert all(part in str(refused.value) for part in parts), str(refused.value)


@pytest.mark.parametrize(
    ("text", "numbers", "at_once"),
    [
        ("0-3", "0 1 2 3", None),
        ("0-9%4", "0 1 2 3 4 5 6 7 8 9", 4),
        ("1,3,7-9:2", "1 3 7 9", None),
        ("5, 5,4-5", "5 4", None),
        ("0-20:4%2", "0 4 8 12 16 20", 2),
    ],
)
def test_arrays_are_slurms(text: str, numbers: str, at_once: int | None) -> None:
    assert parse_array(text) == (tuple(numbers.split()), at_once)


@pytest.mark.parametrize(
    "text", ["", "a", "3-1", "1-", "-1", "1-5:0", "0-9%0", "0-9%", "0-9%x", "1,,2", "0-99999999"]
)
def test_what_is_no_array_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="--array"):
        parse_array(text)
