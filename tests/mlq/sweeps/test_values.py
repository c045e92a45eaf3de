"""One notation for the values of a parameter, everywhere."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlq.errors import InvalidInputError
from mlq.sweeps.decimals import comparable, number, typed
from mlq.sweeps.distributions import Distribution
from mlq.sweeps.files import Files
from mlq.sweeps.splitting import escaped, plain, split
from mlq.sweeps.values import is_sweep, parse

NO_FILES = Files("/nonexistent", lambda _: b"")


def values(text: str, files: Files = NO_FILES) -> list[str]:
    found = parse("x", text, files)
    assert not isinstance(found, Distribution)
    return list(found)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("a,b,c", "a b c"),
        (" a , b ", "a b"),
        ("range(5)", "0 1 2 3 4"),
        ("range(1,9,2)", "1 3 5 7"),
        ("range(1, 9, 2)", "1 3 5 7"),
        ("range(3,0,-1)", "3 2 1"),
        ("range(0,0.5,0.1)", "0 0.1 0.2 0.3 0.4"),
        ("0..3", "0 1 2 3"),
        ("3..1", "3 2 1"),
        ("-1..1", "-1 0 1"),
        ("0..100..50", "0 50 100"),
        ("0..10..3", "0 3 6 9"),
        ("0.1..0.3..0.1", "0.1 0.2 0.3"),
        ("1e-3..3e-3..1e-3", "0.001 0.002 0.003"),
        ("1e3..3e3..1e3", "1000 2000 3000"),
        ("1e-6..3e-6..1e-6", "1e-6 2e-6 3e-6"),
        ("08..10", "08 09 10"),
        ("choice(a,range(2))", "a 0 1"),
        ("0,range(10,12),x", "0 10 11 x"),
        ("linspace(0,1,5)", "0 0.25 0.5 0.75 1"),
        ("linspace(0,1,4)", "0 0.3333333333333333 0.6666666666666666 1"),
        ("linspace(3,9,1)", "3"),
        ("geomspace(1e-5,1e-1,5)", "1e-5 0.0001 0.001 0.01 0.1"),
        ("geomspace(100,1,3)", "100 10 1"),
        ("[0.9,0.99],(1,2),{a:1,b:2}", "[0.9,0.99] (1,2) {a:1,b:2}"),
        ("'a,b',\"c,d\"", "'a,b' \"c,d\""),
        (r"a\,b,c", "a,b c"),
        (r"[a\,b],c", r"[a\,b] c"),
        ("it's,that's", "it's that's"),
        ("(a,b", "(a b"),
        ("a),b", "a) b"),
        ("Adam(lr=1,m=2),SGD(0.1)", "Adam(lr=1,m=2) SGD(0.1)"),
        ("1e-3,0.001,.5,1.", "1e-3 0.001 .5 1."),
        ("../data,a..b,..,v1..2", "../data a..b .. v1..2"),
    ],
)
def test_each_form(text: str, meant: str) -> None:
    assert values(text) == meant.split(" ")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ["has no values"]),
        ("a,,b", ["a value that is empty"]),
        ("a,", ["a value that is empty"]),
        ("0..", ["has no end", "write x=0..9"]),
        ("range()", ["has no end", "range(5)"]),
        ("range(0,10", ["range(0 is never closed"]),
        ("1,glob(a/*.yaml", ["is never closed"]),
        ("range(1,)", ["has no end"]),
        ("range(1,,2)", ["has no end"]),
        ("range(0)", ["has no values", "not part of it"]),
        ("range(5,1)", ["has no values"]),
        ("1..5..-1", ["has no values", "leads away"]),
        ("range(0,1,0)", ["never ends", "step is 0"]),
        ("0..1..0", ["never ends"]),
        ("range(a)", ["cannot be used", "numbers"]),
        ("0..1e9", ["too many values", "250,000"]),
        ("0..1e9999", ["x=0..1e9999"]),
        ("0..1..1e-9999", ["x=0..1..1e-9999"]),
        ("1..2..1e-300", ["x=1..2..1e-300"]),
        ("linspace(0,1)", ["cannot be used", "how many"]),
        ("linspace(0,1,0)", ["has no values"]),
        ("linspace(0,1,1.5)", ["whole number"]),
        ("linspace(0,1,1e9)", ["whole number", "250,000"]),
        ("geomspace(0,1,3)", ["more than 0", "linspace"]),
        ("uniform(0,1),2", ["draws from all values"]),
        ("choice(uniform(0,1))", ["among values"]),
        ("uniform(1)", ["takes two numbers"]),
        ("uniform(2,1)", ["larger than its second"]),
        ("loguniform(0,1)", ["more than 0"]),
        ("randint(0,1.5)", ["whole numbers"]),
        ("rnage(5)", ["did you mean range(5)?"]),
        ("interval(0,1)", ["did you mean uniform(0,1)?"]),
        ("glob(*.nothing)", ["no file has such a name"]),
        ("file(gone.txt)", ["gone.txt cannot be read", "No such file"]),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(text: str, parts: list[str]) -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse("x", text, NO_FILES)
    assert all(part in str(refused.value) for part in parts), str(refused.value)


def test_files_are_listed_as_the_pattern_spells_them_and_read_line_by_line(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    for name in ("b.yaml", "a.yaml", "a, b.yml", ".hidden.yaml"):
        (tmp_path / "conf" / name).touch()
    (tmp_path / "list.txt").write_text("range(5)\r\n\n a, b \n# c\n")
    files = Files(str(tmp_path), lambda _: b"1\n2\n")
    assert values("glob(conf/*.yaml)", files) == ["conf/a.yaml", "conf/b.yaml"]
    assert values("glob(./conf/b*,conf/*.yml),x", files) == [
        "./conf/b.yaml",
        "conf/a, b.yml",
        "x",
    ]
    assert values("file(list.txt)", files) == ["range(5)", "a, b", "# c"]
    assert values("file(-)", files) == ["1", "2"]


def test_a_name_that_is_no_text_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    Path(str(tmp_path) + "/\udcff.txt").touch()
    with pytest.raises(InvalidInputError, match="not UTF-8"):
        values("glob(*.txt)", Files(str(tmp_path), lambda _: b""))
    (tmp_path / "a.txt").write_bytes(b"\xff")
    with pytest.raises(InvalidInputError, match=r"a\.txt cannot be read: it is not UTF-8"):
        values("file(a.txt)", Files(str(tmp_path), lambda _: b""))


@pytest.mark.parametrize(
    ("text", "sweeps"),
    [
        ("1e-3", False),
        ("1e-3,1e-4", True),
        ("range(5)", True),
        ("0..9", True),
        ("uniform(0,1)", True),
        ("[1,2]", False),
        ("'a,b'", False),
        (r"a\,b", False),
        ("f(1,2)", False),
        ("../a", False),
    ],
)
def test_what_a_command_sweeps_over(text: str, sweeps: bool) -> None:
    assert is_sweep(text) is sweeps


VALUE = st.text(st.sampled_from("ab1 ,\\()[]{}'\"=:.-é"), min_size=1, max_size=12).map(str.strip)


@given(st.lists(VALUE.filter(lambda one: one and not one.endswith("\\")), min_size=1, max_size=5))
def test_escaped_values_are_split_as_they_were_joined(wanted: list[str]) -> None:
    # A backslash before a comma has no way to be written but in a table.
    typed_values = [one for one in wanted if "\\," not in one]
    if any(one.count(mark) for one in typed_values for mark in "()[]{}'\""):
        # Half a bracket may be closed by another value's other half: alone each comes back.
        for one in typed_values:
            assert [plain(part) for part in split(escaped(one))] == [one]
    elif typed_values:
        text = ",".join(map(escaped, typed_values))
        assert [plain(part) for part in split(text)] == typed_values


@given(st.text(max_size=40))
def test_whatever_is_typed_is_read_or_refused(text: str) -> None:
    try:
        found = parse("x", text.replace("glob", "g").replace("file", "f"), NO_FILES)
    except InvalidInputError:
        return
    assert found


DECIMALS = st.decimals(
    allow_nan=False, allow_infinity=False, min_value=-1000, max_value=1000, places=4
)


@given(DECIMALS, DECIMALS.filter(bool), st.integers(1, 50))
def test_steps_are_exact(first: Decimal, step: Decimal, count: int) -> None:
    last = first + step * (count - 1)
    found = values(f"{first:f}..{last:f}..{step:f}")
    assert [Decimal(one) for one in found] == [first + step * at for at in range(count)]
    assert values(f"range({first:f},{last + step:f},{step:f})") == found
    assert all(len(one) <= len(f"{first:f}{step:f}") + 4 for one in found)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=12))
def test_a_number_is_typed_shortly_and_compares_as_a_number(value: Decimal) -> None:
    assert number(typed(value)) == value or value.adjusted() > 50
    assert comparable(f"{value:f}") == comparable(f"{value:e}") or len(f"{value:f}") > 100


@pytest.mark.parametrize(
    "same", ["1e-3 0.001 .001 1E-3 +0.0010", "0 0.0 -0 0e5", "100 1e2 100.", "-1.50 -1.5 -15e-1"]
)
def test_texts_of_one_number(same: str) -> None:
    assert len({comparable(one) for one in same.split()}) == 1


def test_texts_of_different_numbers_and_labels() -> None:
    different = ["1", "-1", "10", "0.1", "007", "7", "1_0", "inf", "nan", "", "1e", "a", "A"]
    assert len({comparable(one) for one in different}) == len(different)
    assert comparable("1e99999") == "1e99999"
