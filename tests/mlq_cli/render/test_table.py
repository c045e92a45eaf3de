"""Tables fit the terminal and lose the least important first."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlq_cli.render.style import Style
from mlq_cli.render.table import ALWAYS, Cell, Column, columns_of, shorten, table

COLUMNS = (
    Column("ID"),
    Column("STATE"),
    Column("TIME", 80, right=True),
    Column("ASKS", 40),
    Column("NAME", 60, least=6),
    Column("COMMAND", 50, least=10),
)


def row(*texts: str) -> list[Cell]:
    return [Cell(text) for text in texts]


ROWS = [
    row(
        "1042", "queued", "3m", "4c 8G", "learning-rate-0.1", "python train.py --lr 0.1 --epochs 90"
    ),
    row("1043_12", "finished", "12h5m", "1c 2G", "short", "true"),
]


def test_without_a_terminal_nothing_is_cut() -> None:
    assert table(COLUMNS, ROWS, Style()) == [
        "ID       STATE      TIME  ASKS   NAME               COMMAND",
        "1042     queued       3m  4c 8G  learning-rate-0.1  python train.py --lr 0.1 --epochs 90",
        "1043_12  finished  12h5m  1c 2G  short              true",
    ]


def test_wide_columns_are_shortened_before_any_is_left_out() -> None:
    lines = table(COLUMNS, ROWS, Style(width=70))
    assert lines[0].split() == ["ID", "STATE", "TIME", "ASKS", "NAME", "COMMAND"]
    assert "…" in lines[1]
    assert "…" not in lines[2]


def test_the_least_important_column_goes_first() -> None:
    assert table(COLUMNS, ROWS, Style(width=44))[0].split() == [
        "ID",
        "STATE",
        "TIME",
        "NAME",
        "COMMAND",
    ]
    assert table(COLUMNS, ROWS, Style(width=34))[0].split() == ["ID", "STATE", "TIME", "NAME"]


def test_ids_and_states_are_never_cut() -> None:
    assert table(COLUMNS, ROWS, Style(width=5))[2] == "1043_12  finished"


def test_empty_columns_are_left_out() -> None:
    assert table(COLUMNS[:3], [row("1", "", "5s")], Style()) == ["ID  TIME", "1     5s"]


def test_cells_are_cleaned() -> None:
    lines = table((Column("NAME"),), [row("\x1b[2Jevil\nname")], Style())
    assert lines == ["NAME", "evil name"]


def test_colours_do_not_change_the_alignment() -> None:
    painted = table(
        (Column("STATE"), Column("ID")),
        [[Cell("failed", "bad"), Cell("1")], [Cell("ok"), Cell("2", "strong")]],
        Style(80, colour=True),
    )
    plain = [re.sub(r"\x1b\[\d+m", "", line) for line in painted]
    assert plain == ["STATE   ID", "failed  1", "ok      2"]
    assert "\x1b[31mfailed\x1b[0m" in painted[1]


@pytest.mark.parametrize(
    ("text", "width"),
    [("abc", 3), ("模型", 4), ("é", 1), ("e\N{COMBINING ACUTE ACCENT}", 1), ("", 0)],
)
def test_columns_of_wide_and_combining_characters(text: str, width: int) -> None:
    assert columns_of(text) == width


def test_shortening_counts_columns_not_characters() -> None:
    assert shorten("模型模型", 8) == "模型模型"
    assert shorten("模型模型", 6) == "模型…"
    assert shorten("a b c", 3) == "a…"


CELLS = st.text(st.sampled_from("ab -\n\x1b模é"), max_size=30)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS, CELLS), min_size=1, max_size=4), st.integers(40, 90))
def test_no_line_is_wider_than_the_terminal(rows: list[tuple[str, ...]], width: int) -> None:
    columns = (
        Column("ID", ALWAYS),
        Column("A", 1, least=3),
        Column("B", 2),
        Column("C", 3, least=9),
    )
    cells = [row(texts[0][:15], *texts[1:]) for texts in rows]
    for line in table(columns, cells, Style(width=width)):
        assert columns_of(line) <= width
