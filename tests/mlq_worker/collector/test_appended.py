"""What was appended to a file since the last look, whatever became of the file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlq_worker.collector.appended import Mark, lines_of, mark_of, read_appended


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "log"


def _lines(
    file: Path, mark: Mark, *, is_last: bool = False, most: int = 1000
) -> tuple[list[bytes], Mark]:
    piece = read_appended(str(file.parent), str(file), mark, most, most_behind=0)
    if piece is None:
        return [], mark
    found = lines_of(piece, is_last=is_last)
    return [one for one in found.lines if one], mark_of(list(found.mark))


def test_only_whole_lines_that_are_new(file: Path) -> None:
    file.write_bytes(b"one\ntwo\nthr")
    lines, mark = _lines(file, Mark())
    assert lines == [b"one", b"two"]
    assert _lines(file, mark)[0] == []
    with file.open("ab") as out:
        out.write(b"ee\nfour")
    lines, mark = _lines(file, mark)
    assert lines == [b"three"]
    assert _lines(file, mark, is_last=True)[0] == [b"four"]


def test_a_file_that_shrank_or_was_replaced_or_written_anew_is_read_from_its_start(
    file: Path,
) -> None:
    file.write_bytes(b"one\ntwo\n")
    _, mark = _lines(file, Mark())
    file.write_bytes(b"1\n")
    assert _lines(file, mark)[0] == [b"1"]
    file.write_bytes(b"uno\ndos\ntres\n")
    assert _lines(file, mark)[0] == [b"uno", b"dos", b"tres"]
    other = file.with_name("other")
    other.write_bytes(b"one\ntwo\nthree\n")
    other.replace(file)
    assert _lines(file, mark)[0] == [b"one", b"two", b"three"]


def test_where_too_much_was_appended_its_end_is_read_from_a_whole_line_on(file: Path) -> None:
    file.write_bytes(b"x" * 990 + b"\n" + b"y" * 30 + b"\nlast\n")
    lines, mark = _lines(file, Mark(), most=20)
    assert lines == [b"last"]
    assert _lines(file, mark)[0] == []


def test_a_line_without_end_is_left_out_and_what_follows_is_read(file: Path) -> None:
    file.write_bytes(b"a\n" + b"x" * 100_000)
    lines, mark = _lines(file, Mark(), most=200_000)
    assert lines == [b"a"]
    with file.open("ab") as out:
        out.write(b"tail\nb\n")
    assert _lines(file, mark, most=200_000)[0] == [b"b"]


def test_what_is_no_file_gives_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "real").write_bytes(b"x\n")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for name in ("pipe", "link", "absent", "."):
        assert read_appended(str(tmp_path), f"{tmp_path}/{name}", Mark()) is None


@pytest.mark.parametrize(
    "raw", [None, 7, "12345", [], [1, 2], [1, 2, "3", 4, 5], [1, -2, 3, 4, 5], {}]
)
def test_a_state_that_is_none_is_a_new_mark(raw: object) -> None:
    assert mark_of(raw) == Mark()
