"""What a worker learns from NFS may be old by the time it is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlq.files.layout import Layout
from mlq.files.strict_files import Absent, Refused, Unreadable
from mlq.jobs.request import Request
from mlq.store.replies import HeldAttempt
from mlq_worker.agent import nfs_reads as module
from mlq_worker.agent.attempt_result import AttemptResult
from mlq_worker.agent.attempts import AttemptTable, LocalAttempt
from mlq_worker.agent.nfs_reads import VALUE_PATIENCE_S, Reading
from mlq_worker.agent.outcomes import History


class InstantDesk:
    """Answers each question on the spot."""

    def __init__(self, *_: object) -> None:
        self._answers: list[Any] = []

    def ask(self, question: Callable[[], Any]) -> bool:
        self._answers.append(question())
        return True

    def answer(self) -> Any:
        return self._answers.pop(0) if self._answers else None


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def reading(tmp_path: Path, clock: Clock) -> Reading:
    return Reading(Layout(tmp_path), InstantDesk, lambda: None, clock, 10.0)  # type: ignore[arg-type]


STRAY = HeldAttempt("13", 2, "lab01", "boot", "supervisor", 0, "")


def test_strays_are_told_once(reading: Reading) -> None:
    reading.ask_strays([STRAY])
    assert reading.has_strays
    assert reading.take_strays(held=()) == ([STRAY], {STRAY.key: Absent()})
    assert reading.take_strays(held=()) == ([], {})


def test_an_attempt_held_by_now_is_no_stray(reading: Reading) -> None:
    # A queue that forgot its last second gives out the number of an attempt once more.
    reading.ask_strays([STRAY])
    assert reading.take_strays(held={STRAY.key})[0] == []


def test_strays_that_cannot_be_read_are_asked_about_ever_less_and_hold_up_no_other(
    reading: Reading, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []
    other = HeldAttempt("14", 1, "lab01", "boot", "supervisor", 0, "")

    def read(_: Layout, keys: list[tuple[str, int]]) -> dict[tuple[str, int], Any]:
        asked.extend(clock.now_s - 100 for job_id, _ in keys if job_id == "13")
        return {key: Unreadable("EIO") if key == STRAY.key else Absent() for key in keys}

    monkeypatch.setattr(module, "read_results", read)
    reading.ask_strays([STRAY, other])
    assert reading.has_strays
    assert reading.take_strays(held=())[0] == [other]
    for _ in range(300):
        clock.now_s += 1
        reading.ask_strays([STRAY])
        assert not reading.has_strays  # it would be looked after at once, again and again
    assert asked == [0, 10, *range(30, 301, 30)]
    reading.ask_strays([replace(STRAY, stop="canceled")])
    assert reading.take_strays(held=())[0] == [replace(STRAY, stop="canceled")]


def test_a_value_that_cannot_be_read_is_given_up_in_the_end_and_holds_up_no_other(
    reading: Reading, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int]] = []

    def read(_: Layout, keys: list[tuple[str, int]]) -> dict[tuple[str, int], Any]:
        asked.extend(keys)
        return {key: Unreadable("EIO") if key[0] == "1" else f"{key[0]}" for key in keys}

    monkeypatch.setattr(module, "read_values", read)
    holdings = AttemptTable()
    for job_id in ("1", "2"):
        held = LocalAttempt(
            (job_id, 1), "c", Request(), (), History(), False, 0.0, None, returns=True
        )
        holdings.add(held)
        holdings.end(AttemptResult(job_id, 1, "lab01", "exited", 0, "", "", ""))
    while len(holdings.ended()) < 2:
        clock.now_s += 1
        reading.update(holdings)
        assert clock.now_s < 100 + 2 * VALUE_PATIENCE_S
        if clock.now_s == 110:
            assert [one.attempt for one in holdings.ended()] == [("2", 1)]
    assert len(asked) < 30
    result = holdings.attempts["1", 1].result
    assert result is not None
    assert result.reason.startswith("its return value cannot be used: it could not be read for 10m")


def test_a_value_of_another_kind_ends_its_job_with_the_reason() -> None:
    holdings = AttemptTable()
    holdings.add(
        LocalAttempt(("1", 1), "c", Request(), (), History(), False, 0.0, None, returns=True)
    )
    holdings.end(AttemptResult("1", 1, "lab01", "exited", 0, "", "", ""))
    assert holdings.ended() == []
    holdings.set_value(("1", 1), Refused("is nested more than 200 deep"))
    (ended,) = holdings.ended()
    assert ended.result is not None
    assert ended.result.reason == (
        "its return value cannot be used: it is nested more than 200 deep"
    )
