"""What the doctor says of the boards of a machine, and of a turn that nobody can have."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from installation import private_settings

from mlq_cli.doctor.boards import ENDED, BoardFacts, examine, judge
from mlq_worker.guest.boards.board import Board, BoardName, Process, render
from mlq_worker.guest.boards.own_board import OwnBoard, own_process
from mlq_worker.guest.boards.turn_file import TurnFile


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    folder = tmp_path / "shared"
    folder.mkdir()
    return folder


def said(tmp_path: Path) -> list[tuple[str, str]]:
    return [(one.level, one.says) for one in examine(private_settings(tmp_path))]


def test_alone(tmp_path: Path, shared: Path) -> None:
    assert said(tmp_path) == [("ok", "no mlq runs here")]
    assert not list(shared.iterdir())


def test_ours_is_named(tmp_path: Path, shared: Path) -> None:
    OwnBoard(shared, BoardName(os.getuid(), "q"), "guest of me").show(Board(own_process()), 0)
    dead = render(Board(Process(1, 12345)), "guest of me")
    (shared / f"mlq-{os.getuid()}.old.board").write_bytes(dead)
    left = f"left by ended ones: mlq-{os.getuid()}.old.board"
    assert said(tmp_path) == [("ok", f"mlq runs here for you; {left}")]


def test_what_is_not_believed(tmp_path: Path, shared: Path) -> None:
    os.mkfifo(shared / "mlq-77.q.board")
    ((level, says),) = said(tmp_path)
    assert level == "warning"
    assert says == f"{shared}/mlq-77.q.board is not believed: it is a named pipe"


def test_a_turn_held_for_ever(tmp_path: Path, shared: Path) -> None:
    other = TurnFile(shared)
    other.take(0)
    ((level, says),) = said(tmp_path)
    assert level == "warning"
    assert "another program holds it" in says
    other.give_up()
    assert said(tmp_path) == [("ok", "no mlq runs here")]


def test_many_are_counted() -> None:
    odd = tuple((f"mlq-{n}.q.board", "it is a folder") for n in range(10))
    checks = list(judge(BoardFacts("/shared", unbelieved=(*odd, ("mlq-1.z.board", ENDED)))))
    assert len(checks) == 4
    assert "(and 6 others)" in checks[0].says
