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
from mlq_worker.agent.attempts import AttemptTable
from mlq_worker.agent.history import History
from mlq_worker.agent.local_attempt import LocalAttempt
from mlq_worker.agent.nfs_reads import VALUE_PATIENCE_S, NfsReads


class InstantReader:
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
def reads(tmp_path: Path, clock: Clock) -> NfsReads:
    return NfsReads(Layout(tmp_path), InstantReader, lambda: None, clock, 10.0)  # type: ignore[arg-type]


ORPHAN = HeldAttempt("13", 2, "lab01", "boot", "supervisor", 0, "")


def test_orphans_are_told_until_they_are_settled(reads: NfsReads) -> None:
    reads.ask_orphans([ORPHAN])
    for _ in range(2):
        assert reads.orphans == ([ORPHAN], {ORPHAN.key: Absent()})
    reads.drop_orphans()
    assert reads.orphans is None


def test_orphans_that_cannot_be_read_are_asked_about_ever_less_and_hold_up_no_other(
    reads: NfsReads, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []
    other = HeldAttempt("14", 1, "lab01", "boot", "supervisor", 0, "")

    def read(_: Layout, keys: list[tuple[str, int]], _files: object) -> dict[tuple[str, int], Any]:
        asked.extend(clock.now_s - 100 for job_id, _ in keys if job_id == "13")
        return {key: Unreadable("EIO") if key == ORPHAN.key else Absent() for key in keys}

    monkeypatch.setattr(module, "read_results", read)
    reads.ask_orphans([ORPHAN, other])
    assert reads.orphans is not None
    assert reads.orphans[0] == [other]
    reads.drop_orphans()
    for _ in range(300):
        clock.now_s += 1
        reads.ask_orphans([ORPHAN])
        assert reads.orphans is None  # it would be looked after at once, again and again
    assert asked == [0, 10, *range(30, 301, 30)]
    reads.ask_orphans([replace(ORPHAN, stop="canceled")])
    assert reads.orphans is not None
    assert reads.orphans[0] == [replace(ORPHAN, stop="canceled")]


def test_a_value_that_cannot_be_read_is_given_up_in_the_end_and_holds_up_no_other(
    reads: NfsReads, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int]] = []

    def read(_: Layout, keys: list[tuple[str, int]], _files: object) -> dict[tuple[str, int], Any]:
        asked.extend(keys)
        return {key: Unreadable("EIO") if key[0] == "1" else f"{key[0]}" for key in keys}

    monkeypatch.setattr(module, "read_values", read)
    attempts = AttemptTable()
    for job_id in ("1", "2"):
        held = LocalAttempt(
            (job_id, 1), "c", Request(), (), History(), False, 0.0, None, returns=True
        )
        attempts.add(held)
        attempts.end(AttemptResult(job_id, 1, "lab01", "exited", 0, "", "", ""))
    while len(attempts.ended()) < 2:
        clock.now_s += 1
        reads.update(attempts)
        assert clock.now_s < 100 + 2 * VALUE_PATIENCE_S
        if clock.now_s == 110:
            assert [one.attempt for one in attempts.ended()] == [("2", 1)]
    assert len(asked) < 30
    result = attempts.by_key["1", 1].result
    assert result is not None
    assert result.reason.startswith("its return value cannot be used: it could not be read for 10m")


def test_a_value_of_another_kind_ends_its_job_with_the_reason() -> None:
    attempts = AttemptTable()
    attempts.add(
        LocalAttempt(("1", 1), "c", Request(), (), History(), False, 0.0, None, returns=True)
    )
    attempts.end(AttemptResult("1", 1, "lab01", "exited", 0, "", "", ""))
    assert attempts.ended() == []
    attempts.set_value(("1", 1), Refused("is nested more than 200 deep"))
    (ended,) = attempts.ended()
    assert ended.result is not None
    assert ended.result.reason == (
        "its return value cannot be used: it is nested more than 200 deep"
    )
