"""What NFS shows: broken files and hanging reads are no evidence, and stop nobody."""

import errno
import json
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from no_room import no_room_for_threads
from waiting import wait_for

from mlq.files.layout import Layout
from mlq.files.strict_files import Absent, Refused, Unreadable
from mlq_worker.agent.attempt_result import UNUSABLE, AttemptResult
from mlq_worker.agent.background import BackgroundReader
from mlq_worker.agent.nfs import read_beats, read_progress, read_results, read_values
from mlq_worker.liveness.verdicts import Beat, Garbled

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
READ = AttemptResult("7", 2, "lab01", "exited", 0, "", "", "2026-11-23T22:15:01.123456Z", "")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path)
    made.workers_dir.mkdir()
    made.attempt_dir(*KEY).mkdir(parents=True)
    return made


def beat(layout: Layout, machine: str, content: Any) -> None:
    layout.beat_file(machine).write_text(json.dumps(content), "utf-8")


@pytest.fixture
def fails(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Lets every opening of a file below the root fail with this error."""
    really = os.open

    def fail(number: int) -> None:
        def opens(name: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
            if dir_fd is not None:
                raise OSError(number, "it hangs no more, it fails")
            return really(name, flags, mode)

        monkeypatch.setattr(os, "open", opens)

    return fail


GOOD = {"boot_id": "b", "supervisor_id": "s", "counter": 3, "attempts": [["7", 2]]}


def test_beats_are_read_and_missing_ones_are_none(layout: Layout) -> None:
    beat(layout, "lab01", GOOD)
    look = read_beats(layout, ["lab01", "lab02"], lambda: 12.0)
    assert (look.at_s, look.unreadable) == (12.0, "")
    assert look.beats == {"lab01": Beat("b", "s", 3, frozenset({KEY})), "lab02": None}


@pytest.mark.parametrize(
    "content",
    [
        *([], {}, 3, "x", None),
        *({**GOOD, "attempts": value} for value in (5, [1], [["7", {}]], [["7", 2, 3]], {"7": 2})),
        *({**GOOD, "counter": value} for value in ([], True, 1.5, None)),
        {**GOOD, "boot_id": {}},
        {**GOOD, "paused": "x"},
    ],
)
def test_a_broken_beat_says_only_whether_it_changes_and_hides_no_other(
    layout: Layout, content: Any
) -> None:
    beat(layout, "lab01", GOOD)
    beat(layout, "lab02", content)
    look = read_beats(layout, ["lab01", "lab02", "../lab03"], lambda: 0.0)
    assert isinstance(look.beats["lab01"], Beat)
    assert set(look.beats) == {"lab01", "lab02"}
    broken = look.beats["lab02"]
    assert isinstance(broken, Garbled)
    assert look.unreadable == ""
    beat(layout, "lab02", [content])
    assert read_beats(layout, ["lab02"], lambda: 0.0).beats["lab02"] != broken


def test_what_is_no_file_in_the_place_of_a_beat_says_nothing(layout: Layout) -> None:
    os.mkfifo(layout.beat_file("lab01"))
    layout.beat_file("lab02").mkdir()
    look = read_beats(layout, ["lab01", "lab02"], lambda: 0.0)
    assert look.beats == {"lab01": Garbled("is a named pipe"), "lab02": Garbled("is a folder")}


def test_when_nfs_fails_the_whole_look_is_unreadable(
    layout: Layout, fails: Callable[[int], None]
) -> None:
    fails(errno.EIO)
    look = read_beats(layout, ["lab01"], lambda: 0.0)
    assert look.beats == {}
    assert "fails" in look.unreadable


def test_a_result_is_found_with_what_a_function_returned(layout: Layout) -> None:
    layout.result_file(*KEY).write_text(json.dumps(RESULT), "utf-8")
    assert read_results(layout, [KEY]) == {KEY: READ}
    layout.return_file(*KEY).write_text("[1,\n2, NaN]", "utf-8")
    assert read_results(layout, [KEY]) == {KEY: replace(READ, value="[1, 2, NaN]")}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[1,", "is damaged"),
        ("", "is empty"),
        ("[" * 990 + "]" * 990, "is nested more than 200 deep"),
        ("[" * 1_000_000, "is nested more than 200 deep"),
        ("9" * 5000, "is damaged"),
    ],
)
def test_a_value_that_cannot_be_used_is_told_and_stops_no_other(
    layout: Layout, text: str, why: str
) -> None:
    layout.result_file(*KEY).write_text(json.dumps(RESULT), "utf-8")
    layout.return_file(*KEY).write_text(text, "utf-8")
    (found,) = read_results(layout, [KEY]).values()
    assert isinstance(found, AttemptResult)
    assert (found.outcome, found.value) == (UNUSABLE, "")
    assert found.reason == f"its return value cannot be used: it {why}"
    other = ("8", 1)
    layout.attempt_dir(*other).mkdir(parents=True)
    layout.return_file(*other).write_text("7", "utf-8")
    assert read_values(layout, [KEY, other, ("9", 1)]) == {
        KEY: Refused(why),
        other: "7",
        ("9", 1): "",
    }


def test_no_result_is_known_to_be_none(layout: Layout) -> None:
    assert read_results(layout, [KEY]) == {KEY: Absent()}


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def link_to_zero(path: Path) -> None:
    path.symlink_to("/dev/zero")


def fill(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(3 << 30)


@pytest.mark.parametrize("make", [make_pipe, link_to_zero, Path.mkdir, fill])
def test_what_is_no_file_is_no_result(layout: Layout, make: Callable[[Path], None]) -> None:
    make(layout.result_file(*KEY))
    (found,) = read_results(layout, [KEY]).values()
    assert isinstance(found, Refused)


@pytest.mark.parametrize("text", ["{", "[]", "{}", "", "[" * 100_000, '{"a": 1e999}'])
def test_what_is_no_result_is_refused(layout: Layout, text: str) -> None:
    layout.result_file(*KEY).write_text(text, "utf-8")
    (found,) = read_results(layout, [KEY]).values()
    assert isinstance(found, Refused)


@pytest.mark.parametrize("change", [{"attempt": 1}, {"id": "8"}])
def test_the_result_of_another_attempt_is_refused(layout: Layout, change: dict[str, Any]) -> None:
    layout.result_file(*KEY).write_text(json.dumps({**RESULT, **change}), "utf-8")
    assert read_results(layout, [KEY]) == {KEY: Refused("is that of another attempt")}


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EACCES, errno.ETIMEDOUT])
def test_a_result_that_cannot_be_read_now_is_not_missing(
    layout: Layout, fails: Callable[[int], None], number: int
) -> None:
    fails(number)
    (found,) = read_results(layout, [KEY]).values()
    assert isinstance(found, Unreadable)


def test_progress_is_read_from_the_end_of_a_long_file(layout: Layout) -> None:
    layout.progress_file(*KEY).write_text("0.1\n" * 5000 + "0.9\n0.", "utf-8")
    assert read_progress(layout, [KEY, ("8", 1)]) == {KEY: "0.9"}


def test_a_desk_answers_one_question_and_refuses_the_next_until_the_answer_is_taken() -> None:
    rang, go = threading.Event(), threading.Event()
    reader: BackgroundReader[int] = BackgroundReader("test", rang.set)
    assert reader.ask(lambda: (go.wait(20), 7)[1])
    assert not reader.ask(lambda: 8)
    assert reader.answer() is None
    go.set()
    assert rang.wait(20)
    assert not reader.ask(lambda: 8)
    assert reader.answer() == 7
    assert reader.ask(lambda: 9)
    assert wait_for(reader.answer) == 9


def test_a_question_that_fails_leaves_the_desk_free_for_the_next_after_a_growing_pause() -> None:
    rang = threading.Event()
    pauses: list[float] = []
    reader: BackgroundReader[int] = BackgroundReader("test", rang.set, pauses.append)
    for _ in range(8):
        rang.clear()
        assert reader.ask(lambda: 1 // 0)
        assert rang.wait(20)
        assert reader.answer() is None
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    assert reader.ask(lambda: 9)
    assert wait_for(reader.answer) == 9


def test_a_desk_without_room_for_its_thread_refuses_until_there_is() -> None:
    rang = threading.Event()
    with no_room_for_threads():
        reader: BackgroundReader[int] = BackgroundReader("test", rang.set)
        assert not reader.ask(lambda: 7)
        assert not reader.busy
    assert reader.ask(lambda: 7)
    assert wait_for(reader.answer) == 7
