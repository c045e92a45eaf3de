"""Our board is put up whole, for all to read, and put up again when somebody took it down."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from disks import small_disk
from people import strangers

from mlq_worker.guest.boards.board import Board, BoardJob, BoardName, parse_board
from mlq_worker.guest.boards.own_board import AGAIN_S, OwnBoard, own_process

NAME = BoardName(os.getuid(), "q1")
BOARD = Board(own_process(), (BoardJob("a", 1, 10),))


@pytest.fixture
def board(tmp_path: Path) -> OwnBoard:
    return OwnBoard(tmp_path, NAME, "guest of kt42")


def test_everybody_may_read_it_and_nobody_else_write(board: OwnBoard, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        assert board.show(BOARD, 0) == ""
    finally:
        os.umask(before)
    (file,) = tmp_path.iterdir()
    assert file.name == str(NAME)
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert file.read_text().startswith("guest of kt42\n")
    assert parse_board(file.read_bytes()) == BOARD


def test_written_at_each_change_and_beat_only(board: OwnBoard, tmp_path: Path) -> None:
    def inode() -> int:
        return (tmp_path / str(NAME)).stat().st_ino

    board.show(BOARD, 0)
    first = inode()
    board.show(BOARD, AGAIN_S - 1)
    assert inode() == first
    board.show(BOARD._replace(jobs=()), AGAIN_S - 1)
    second = inode()
    assert second != first
    board.show(BOARD._replace(jobs=()), 2 * AGAIN_S)
    assert inode() != second


def test_taken_down_by_a_cleaner(board: OwnBoard, tmp_path: Path) -> None:
    board.show(BOARD, 0)
    (tmp_path / str(NAME)).unlink()
    board.show(BOARD, 0.1)
    assert (tmp_path / str(NAME)).exists()


def test_take_down(board: OwnBoard, tmp_path: Path) -> None:
    board.show(BOARD, 0)
    board.take_down()
    assert not list(tmp_path.iterdir())
    board.take_down()


def test_a_link_in_the_way_is_replaced_not_followed(board: OwnBoard, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("mine")
    (tmp_path / str(NAME)).symlink_to(target)
    assert board.show(BOARD, 0) == ""
    assert target.read_text() == "mine"
    assert not (tmp_path / str(NAME)).is_symlink()


def test_a_folder_in_the_way(board: OwnBoard, tmp_path: Path) -> None:
    (tmp_path / str(NAME)).mkdir()
    assert board.show(BOARD, 0) == f"{tmp_path / str(NAME)} is in the way"
    assert len(list(tmp_path.iterdir())) == 1


def test_no_folder(tmp_path: Path) -> None:
    lost = OwnBoard(tmp_path / "none", NAME, "guest of kt42")
    assert "cannot be written: No such file" in lost.show(BOARD, 0)


def test_somebody_elses_file_in_the_way(everybodys: Path) -> None:
    ann, eve = strangers()
    path = everybodys / str(BoardName(ann.uid, "q1"))
    path.write_text("eve's")
    eve.own(path)
    board = OwnBoard(everybodys, BoardName(ann.uid, "q1"), "guest of ann")
    said = ann.call(lambda: board.show(BOARD, 0))
    assert said == f"{path} is in the way: it belongs to user {eve.uid}"
    assert path.read_text() == "eve's"
    assert list(everybodys.iterdir()) == [path]
    path.unlink()
    assert ann.call(lambda: board.show(BOARD, 0)) == ""
    assert path.stat().st_uid == ann.uid


def test_a_full_disk(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    with small_disk(folder, "size=64k"):
        room = os.statvfs(folder)
        (folder / "big").write_bytes(b"x" * (room.f_bavail * room.f_frsize))
        board = OwnBoard(folder, NAME, "guest of kt42")
        assert "No space left" in board.show(BOARD, 0)
        assert [one.name for one in folder.iterdir()] == ["big"]
        (folder / "big").unlink()
        assert board.show(BOARD, 1) == ""
