"""The supervisor's board."""

from __future__ import annotations

import json
import os
from pathlib import Path

from mlq.jobs.attempt import AttemptId
from mlq_worker.guest.boards.board import BoardName, Process, key_of, key_of_lane, parse_board
from mlq_worker.guest.boards.board_watch import BoardWatch
from mlq_worker.guest.boards.boards import BoardReader
from mlq_worker.guest.boards.own_board import OwnBoard, own_process
from mlq_worker.guest.rules import GuestRules
from mlq_worker.guest.watch import GuestAttempt
from mlq_worker.ipc.clock import Moment
from mlq_worker.ipc.procfs import Target
from mlq_worker.ipc.values import Share

NAME = BoardName(os.getuid(), "q1")
SHARE = Share(2, 4000, True, ("GPU-1",), 8000)


def watch(folder: Path, cores: dict[int, set[int]]) -> BoardWatch:
    def affinity(pid: int) -> set[int]:
        if pid not in cores:
            raise ProcessLookupError
        return cores[pid]

    own = OwnBoard(folder, NAME, "guest of kt42")
    return BoardWatch(own, BoardReader(folder, NAME), own_process(), affinity)


def attempt(number: int, lane: str | None = None) -> GuestAttempt:
    return GuestAttempt(
        AttemptId("7", number), Target(100 + number, 9), SHARE, 12.5, "/ckpt", lane=lane
    )


def test_what_is_on_it(tmp_path: Path) -> None:
    made = watch(tmp_path, {101: {0, 4}, 102: {0, 1, 2, 3}})
    attempts = [attempt(1), attempt(2), attempt(3, lane="p0.c2")]
    seen = made.look(attempts, GuestRules(), Moment(20.0, ""))
    assert not seen.demands
    text = (tmp_path / str(NAME)).read_bytes()
    one, two, three = parse_board(text).jobs
    assert one == (
        *(key_of(AttemptId("7", 1)), 2, 4000, {"GPU-1": 8000}, 12.5, (0, 4)),
        *(Process(101, 9), None),
    )
    assert two.on == ()  # it may use more than its own
    assert (three.key, three.on) == (key_of_lane("p0.c2"), ())
    assert b"ckpt" not in text
    assert b'"7"' not in text


def test_facts_for_the_doctor(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "mlq-77.q.board")
    other = OwnBoard(tmp_path, BoardName(os.getuid(), "other"), "guest of kt42")
    BoardWatch(other, BoardReader(tmp_path, NAME), own_process()).look(
        [], GuestRules(), Moment(0, "")
    )
    made = watch(tmp_path, {})
    facts = made.look([], GuestRules(), Moment(0, "")).facts["boards"]
    assert json.loads(json.dumps(facts)) == {
        "fault": "",
        "neighbours": [[os.getuid(), "other"]],
        "unbelieved": [["mlq-77.q.board", "it is a named pipe"]],
    }
    assert [one.queue for one in made.neighbours] == ["other"]


def test_not_in_an_allocation(tmp_path: Path) -> None:
    made = watch(tmp_path, {})
    made.look([attempt(1)], GuestRules(is_granted=True), Moment(0, ""))
    assert not list(tmp_path.iterdir())
