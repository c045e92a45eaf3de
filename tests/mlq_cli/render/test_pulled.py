"""What `mlq pull` shows."""

from __future__ import annotations

from mlq_cli.render.pulled import Moving, Named, named_lines, progress_line
from mlq_cli.render.style import Style


def test_the_bar_shows_bytes_files_pace_and_the_time_left() -> None:
    line = progress_line(Moving(50 << 20, 75 << 20, 100 << 20, 3, 2431, 10.0))
    assert line == "██████████████████······  75%  75M of 100M  3 of 2,431 files  5M/s  5s left"


def test_at_first_there_is_no_pace() -> None:
    assert progress_line(Moving(0, 0, 0, 0, 1, 0.0)).endswith("0B of 0B  0 of 1 file")
    assert "left" not in progress_line(Moving(10, 10, 100, 0, 1, 0.5))
    assert "100%" in progress_line(Moving(10, 110, 100, 0, 1, 5.0))  # a file has grown


def test_only_some_of_many_are_named_and_none_moves_the_cursor() -> None:
    rows = tuple((f"a\n\x1b[2J{n}", "is a link") for n in range(30))
    lines = named_lines([Named("left out:", rows), Named("more")], Style())
    assert lines[0] == "left out:"
    assert lines[1] == "  a 0   is a link"
    assert lines[-2:] == ["  … and 10 more", "more"]
    assert len(lines) == 23
