"""What NFS shows: broken files and hanging reads are no evidence, and stop nobody."""

import errno
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from waiting import wait_for

from mlq.layout import Layout
from mlq_worker.liveness import evidence
from mlq_worker.liveness.evidence import Desk, read_beats, read_progress, read_results
from mlq_worker.liveness.verdicts import Beat

KEY = ("7", 2)
RESULT = {
    "id": "7",
    "attempt": 2,
    "machine": "lab01",
    "outcome": "exited",
    "exit_code": 0,
    "reason": "",
    "ended_at": "2026-11-23T22:15:01.123456Z",
}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path)
    made.workers_dir.mkdir()
    made.attempt_dir(*KEY).mkdir(parents=True)
    return made


def beat(layout: Layout, machine: str, content: Any) -> None:
    layout.beat_file(machine).write_text(json.dumps(content), "utf-8")


def fails(number: int) -> Any:
    def read(_: Path) -> bytes:
        raise OSError(number, "it hangs no more, it fails")

    return read


GOOD = {"boot_id": "b", "supervisor_id": "s", "counter": 3, "attempts": [["7", 2]]}


def test_beats_are_read_and_missing_ones_are_none(layout: Layout) -> None:
    beat(layout, "lab01", GOOD)
    look = read_beats(layout, ["lab01", "lab02"], lambda: 12.0)
    assert (look.at_s, look.unreadable) == (12.0, "")
    assert look.beats == {"lab01": Beat("b", "s", 3, frozenset({KEY})), "lab02": None}


@pytest.mark.parametrize("content", [[], {}, 3, {**GOOD, "attempts": 5}, {**GOOD, "attempts": [1]}])
def test_a_broken_beat_keeps_only_its_own_machine_from_a_verdict(
    layout: Layout, content: Any
) -> None:
    beat(layout, "lab01", GOOD)
    beat(layout, "lab02", content)
    look = read_beats(layout, ["lab01", "lab02", "../lab03"], lambda: 0.0)
    assert set(look.beats) == {"lab01"}
    assert look.unreadable == ""


def test_when_nfs_fails_the_whole_look_is_unreadable(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "read_listed", fails(errno.EIO))
    look = read_beats(layout, ["lab01"], lambda: 0.0)
    assert look.beats == {}
    assert "fails" in look.unreadable


def test_a_result_is_found_with_what_a_function_returned(layout: Layout) -> None:
    layout.result_file(*KEY).write_text(json.dumps(RESULT), "utf-8")
    assert read_results(layout, [KEY]) == {KEY: RESULT}
    layout.return_file(*KEY).write_text("[1,\n2]", "utf-8")
    assert read_results(layout, [KEY]) == {KEY: {**RESULT, "value": "[1, 2]"}}
    layout.return_file(*KEY).write_text("[1,", "utf-8")
    assert read_results(layout, [KEY]) == {KEY: RESULT}


def test_no_result_is_known_to_be_none(layout: Layout) -> None:
    assert read_results(layout, [KEY]) == {KEY: None}


@pytest.mark.parametrize(
    "content",
    ["{", "[]", "{}", json.dumps({**RESULT, "attempt": 1}), json.dumps({**RESULT, "id": "8"})],
)
def test_what_is_no_result_of_this_attempt_does_not_end_it(layout: Layout, content: str) -> None:
    layout.result_file(*KEY).write_text(content, "utf-8")
    assert read_results(layout, [KEY]) == {KEY: None}


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EACCES])
def test_a_result_that_cannot_be_read_now_is_not_missing(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(evidence, "read_listed", fails(number))
    assert read_results(layout, [KEY]) == {}


def test_progress_is_read_from_the_end_of_a_long_file(layout: Layout) -> None:
    layout.progress_file(*KEY).write_text("0.1\n" * 5000 + "0.9\n0.", "utf-8")
    assert read_progress(layout, [KEY, ("8", 1)]) == {KEY: "0.9"}


def test_a_desk_answers_one_question_and_refuses_the_next_until_the_answer_is_taken() -> None:
    rang, go = threading.Event(), threading.Event()
    desk: Desk[int] = Desk("test", rang.set)
    assert desk.ask(lambda: (go.wait(20), 7)[1])
    assert not desk.ask(lambda: 8)
    assert desk.answer() is None
    go.set()
    assert rang.wait(20)
    assert not desk.ask(lambda: 8)
    assert desk.answer() == 7
    assert desk.ask(lambda: 9)
    assert wait_for(desk.answer) == 9


def test_a_question_that_fails_leaves_the_desk_free_for_the_next() -> None:
    rang = threading.Event()
    desk: Desk[int] = Desk("test", rang.set)
    assert desk.ask(lambda: 1 // 0)
    assert rang.wait(20)
    assert desk.answer() is None
    assert desk.ask(lambda: 9)
    assert wait_for(desk.answer) == 9
