"""The lock that decides whose turn it is, under other users and under everything in its place."""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path

import pytest
from people import strangers

from mlq_worker.guest.boards.turn_file import NAME, PATIENCE_S, Turn, TurnFile


def test_made_for_all_to_open_and_none_to_write(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        assert TurnFile(tmp_path).take(0) is Turn.OURS
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o444


def test_one_at_a_time(tmp_path: Path) -> None:
    one, other = TurnFile(tmp_path), TurnFile(tmp_path)
    assert one.take(0) is Turn.OURS
    assert one.take(0) is Turn.OURS
    assert other.take(0) is Turn.AWAITED
    one.give_up()
    assert other.take(0.1) is Turn.OURS
    assert one.take(0.1) is Turn.AWAITED
    other.give_up()
    other.give_up()


def test_held_by_somebody_for_ever(tmp_path: Path) -> None:
    one, other = TurnFile(tmp_path), TurnFile(tmp_path)
    one.take(0)
    assert other.take(10) is Turn.AWAITED
    assert other.take(10 + PATIENCE_S - 0.1) is Turn.AWAITED
    assert other.take(10 + PATIENCE_S) is Turn.WITHOUT
    assert other.fault.startswith(f"{tmp_path / NAME}: another program holds it; ")
    assert other.take(11 + PATIENCE_S) is Turn.WITHOUT  # it does not wait anew each time
    one.give_up()
    assert other.take(12 + PATIENCE_S) is Turn.OURS
    assert other.fault == ""


def test_two_short_waits_are_no_long_one(tmp_path: Path) -> None:
    one, other = TurnFile(tmp_path), TurnFile(tmp_path)
    one.take(0)
    assert other.take(0) is Turn.AWAITED
    assert other.take(600) is Turn.AWAITED
    assert other.take(600 + PATIENCE_S) is Turn.WITHOUT


def test_a_child_does_not_keep_it(tmp_path: Path) -> None:
    one, other = TurnFile(tmp_path), TurnFile(tmp_path)
    one.take(0)
    ours, theirs = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(theirs)
        os.read(ours, 1)
        os._exit(0)
    one.give_up()
    assert other.take(0) is Turn.OURS
    os.close(theirs)
    os.close(ours)
    os.waitpid(pid, 0)


def test_removed_while_held(tmp_path: Path) -> None:
    """Who opens the new file must not believe to be alone with who locked the old one."""
    one, other = TurnFile(tmp_path), TurnFile(tmp_path)
    stale = os.open(_made(tmp_path), os.O_RDONLY)
    (tmp_path / NAME).unlink()
    assert one.take(0) is Turn.OURS
    fcntl.flock(stale, fcntl.LOCK_EX)  # the old one: it keeps nobody away
    os.close(stale)
    assert other.take(0) is Turn.AWAITED
    one.give_up()


def _made(folder: Path) -> Path:
    maker = TurnFile(folder)
    maker.take(0)
    maker.give_up()
    return folder / NAME


@pytest.mark.parametrize("target", ["missing", "precious"])
def test_a_link_in_its_place(target: str, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    (tmp_path / NAME).symlink_to(tmp_path / target)
    _is_without(tmp_path, "it is no file")
    assert sorted(one.name for one in tmp_path.iterdir()) == [NAME, "precious"]
    assert (tmp_path / "precious").read_text() == "mine"


def test_a_pipe_or_a_folder_in_its_place(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / NAME)
    _is_without(tmp_path, "it is no file")
    (tmp_path / NAME).unlink()
    (tmp_path / NAME).mkdir()
    _is_without(tmp_path, "it is no file")


def _is_without(folder: Path, why: str) -> None:
    turn = TurnFile(folder)
    assert turn.take(0) is Turn.AWAITED
    assert turn.take(PATIENCE_S) is Turn.WITHOUT
    assert why in turn.fault


def test_of_two_users(everybodys: Path) -> None:
    ann, eve = strangers()
    turn = TurnFile(everybodys)
    assert ann.call(lambda: turn.take(0).value) == "ours"  # she ends, and so does her lock
    assert turn.take(0) is Turn.OURS  # as root
    assert eve.call(lambda: TurnFile(everybodys).take(0).value) == "awaited"
    turn.give_up()
    assert eve.call(lambda: TurnFile(everybodys).take(0).value) == "ours"
    (everybodys / NAME).chmod(0o400)

    def closed() -> list[str]:
        hers = TurnFile(everybodys)
        return [hers.take(0).value, hers.take(PATIENCE_S).value, hers.fault]

    first, then, fault = eve.call(closed)
    assert (first, then) == ("awaited", "without")
    assert f"it cannot be opened (user {ann.uid} made it, mode 0400)" in fault
