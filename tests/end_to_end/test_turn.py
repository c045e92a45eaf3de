"""A worker whose turn somebody holds for ever goes on without it, and says so."""

from __future__ import annotations

from pathlib import Path

from local_lab import new_lab
from waiting import wait_for

from mlq_worker.guest.boards.turn_file import Turn, TurnFile


def test_held_for_ever_and_boards_that_are_taken_down() -> None:
    with new_lab() as lab:
        shared = Path(lab.environ["MLQ_SHARED_DIR"])
        turn = TurnFile(shared)
        assert turn.take(0) is Turn.OURS
        lab.machine("lab07")
        first = lab.sh("until [ -e gate ]; do sleep 0.1; done")
        lab.until(first, "started")
        lab.until_shown("lab07", lambda row: "another program holds it" in row["condition"])
        turn.give_up()
        boards = wait_for(lambda: len(found := list(shared.glob("*.board"))) == 2 and found)
        for board in boards:
            board.unlink()
        wait_for(lambda: all(board.exists() for board in boards), what="new boards")
        lab.until(lab.sh("true"), "finished")
        lab.until_shown("lab07", lambda row: "another program" not in row["condition"])
        lab.open("gate")
        lab.until(first, "finished")
