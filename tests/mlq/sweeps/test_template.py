"""The command of a sweep: what stands in it for a member's parameters."""

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlq.errors import InvalidInputError
from mlq.sweeps.commands import CommandLines, check_use, table_of
from mlq.sweeps.template import literally, read

PARAMS = {"lr": "1e-3", "seed": "0", "model.wd": "a b", "repeat": "2"}


def filled(*command: str) -> list[str]:
    return list(read(command, list(PARAMS)).filled(PARAMS))


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("{lr}", ["1e-3"]),
        ("--lr={lr},{seed}", ["--lr=1e-3,0"]),
        ("{model.wd}", ["a b"]),
        ("{args}", ["--lr=1e-3", "--seed=0", "--model.wd=a b"]),
        ("{overrides}", ["lr=1e-3", "seed=0", "model.wd=a b"]),
        ("{{lr}}", ["{lr}"]),
        ("{{{lr}}}", ["{1e-3}"]),
        ("a}b", ["a}b"]),
        ("", [""]),
    ],
)
def test_what_a_word_becomes(word: str, meant: list[str]) -> None:
    assert filled("x", word) == ["x", *meant]


def test_args_are_what_the_command_does_not_name() -> None:
    assert filled("x-{lr}", "{args}", "{model.wd}") == ["x-1e-3", "--seed=0", "a b"]
    every = ["{lr}", "{seed}", "{model.wd}"]
    assert filled("x", *every, "{args}") == ["x", "1e-3", "0", "a b"]


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("{rl}", ["{rl}", "no parameter", "did you mean {lr}?", "{{"]),
        ("{}", ["{}", "no parameter"]),
        ('{"a": 1}', ["no parameter"]),
        ("{lr", ["not closed"]),
        ("--x={args}", ["{args} must be an argument of its own"]),
    ],
)
def test_what_is_no_parameter_is_refused_with_the_nearest(word: str, parts: list[str]) -> None:
    with pytest.raises(InvalidInputError) as refused:
        filled("x", word)
    assert all(part in str(refused.value) for part in parts), str(refused.value)


def test_a_parameter_that_is_never_used_is_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"never uses the parameter seed(.|\n)*MLQ_PARAM_S"):
        check_use(read(["x", "{lr}"], ["lr", "seed"]), ["lr", "seed"])
    check_use(read(["x", "{args}"], ["lr", "seed"]), ["lr", "seed"])
    check_use(read(["x"], ["repeat", "array"]), ["repeat", "array"])
    check_use(read(["/bin/sh", "-c", 'x "$MLQ_PARAM_LR"'], ["lr"]), ["lr"])
    with pytest.raises(InvalidInputError):
        check_use(read(["/bin/sh", "-c", 'x "$MLQ_PARAM_LR2"'], ["lr"]), ["lr"])


@given(st.lists(st.text(max_size=10), max_size=4))
def test_a_command_can_be_made_one_whose_braces_mean_nothing(command: list[str]) -> None:
    assert list(read(literally(command), ["lr"]).filled({"lr": "1"})) == command


ODD = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


@pytest.mark.parametrize(
    "text",
    ["printf %s {x}", 'printf %s "a"{x}', 'printf %s "{x}"', "printf %s '{x}'", 'printf %s \\"{x}'],
)
def test_a_shell_gets_each_value_as_one_word(text: str) -> None:
    template = read(["/bin/sh", "-c", text], ["x"])
    for value in [
        "$(echo no)",
        "`echo no`",
        "it's",
        'a "b" c',
        "a;b",
        "*",
        "~",
        "$HOME",
        "\\",
        "é",
    ]:
        argv = template.filled({"x": value})
        out = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
        assert out == value or out[1:] == value


def test_where_quotes_nest_only_harmless_values_are_taken() -> None:
    for text in ('echo "$(ls "{x}")"', "cat <<EOF\n{x}\nEOF"):
        template = read(["/bin/sh", "-c", text], ["x"])
        assert "1e-3" in template.filled({"x": "1e-3"})[2]
        with pytest.raises(InvalidInputError, match=r"MLQ_PARAM_X"):
            template.filled({"x": "$(rm)"})


def test_args_in_a_shell_are_words_and_stand_in_no_quotes() -> None:
    template = read(["/bin/sh", "-c", "run {args} | cat {seed}"], ["lr", "seed", "wd"])
    argv = template.filled({"lr": "a b", "seed": "0", "wd": "1"})
    assert argv[2] == "run '--lr=a b' --wd=1 | cat 0"
    with pytest.raises(InvalidInputError, match="stands in quotes"):
        read(["/bin/sh", "-c", 'run "{args}"'], ["lr"])


def test_lines_for_a_shell_run_as_they_stand() -> None:
    table = table_of("x.txt", ["# a remark", "a {b}", "c | d"])
    assert table.rows == (("a {b}",), ("c | d",))
    lines = CommandLines([row[0] for row in table.rows], ["command"])
    assert lines.filled({"command": "a {b}"}) == ("/bin/sh", "-c", "a {b}")
    with pytest.raises(InvalidInputError, match=r"x.txt has no commands"):
        table_of("x.txt", ["# a"])


def test_lines_for_a_shell_are_multiplied_by_parameters_that_they_name() -> None:
    lines = CommandLines(["a {seed}", "b {seed}"], ["command", "seed"])
    assert lines.filled({"command": "b {seed}", "seed": "3"})[2] == "b 3"
    check_use(lines, ["command", "seed"])
    with pytest.raises(InvalidInputError, match="never uses the parameter seed"):
        check_use(CommandLines(["a"], ["command", "seed"]), ["command", "seed"])
