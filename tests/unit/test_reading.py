"""What a worker learns from NFS may be old by the time it is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlq.layout import Layout
from mlq.store.replies import HeldAttempt
from mlq_worker.liveness.reading import Reading


class InstantDesk:
    """Answers each question on the spot."""

    def __init__(self, *_: object) -> None:
        self._answers: list[Any] = []

    def ask(self, question: Callable[[], Any]) -> bool:
        self._answers.append(question())
        return True

    def answer(self) -> Any:
        return self._answers.pop(0) if self._answers else None


@pytest.fixture
def reading(tmp_path: Path) -> Reading:
    return Reading(Layout(tmp_path), InstantDesk, lambda: None)  # type: ignore[arg-type]


STRAY = HeldAttempt("13", 2, "lab01", "boot", "supervisor", 0, "")


def test_strays_are_told_once(reading: Reading) -> None:
    reading.ask_strays([STRAY])
    assert reading.has_strays
    assert reading.take_strays(held=()) == ([STRAY], {})
    assert reading.take_strays(held=()) == ([], {})


def test_an_attempt_held_by_now_is_no_stray(reading: Reading) -> None:
    # A queue that forgot its last second gives out the number of an attempt once more.
    reading.ask_strays([STRAY])
    assert reading.take_strays(held={STRAY.key}) == ([], {})
