"""A worker leaves before its allocation ends, or when it was idle for long, and else stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mlq_worker.agent import leaving
from mlq_worker.agent.facts import Mode
from mlq_worker.agent.leaving import ASK_EVERY_S, Leaving
from mlq_worker.allocation.ending import LEAD_S, Told
from mlq_worker.allocation.inside import Inside
from mlq_worker.allocation.systems import Allocation

SLURM = Allocation("slurm", "1")


class AtOnce:
    """A reader that answers at the next look."""

    def __init__(self, _name: str, _wake: Callable[[], None]) -> None:
        self._answers: list[Any] = []

    def ask(self, question: Callable[[], Any]) -> bool:
        self._answers.append(question())
        return True

    def answer(self) -> Any:
        return self._answers.pop() if self._answers else None


def _leaving(inside: Inside | None, idle_s: float | None = None) -> Leaving:
    return Leaving(inside, idle_s, 1000.0, AtOnce, lambda: None)  # type: ignore[arg-type]


def test_a_worker_of_a_machine_stays_and_hands_its_jobs_over() -> None:
    one = _leaving(None)
    assert one.left_s(10**9) is None
    assert one.mode(Mode.RUN, 10**9) is Mode.RUN
    assert one.mode(Mode.HANDOVER, 1000.0) is Mode.HANDOVER
    assert one.next_s(1000.0) == float("inf")


def test_jobs_are_handed_back_before_the_end() -> None:
    one = _leaving(Inside(SLURM, first=Told(left_s=600.0)))
    assert one.left_s(1000.0) == 600.0 - LEAD_S
    assert one.mode(Mode.RUN, 1000.0) is Mode.RUN
    assert one.next_s(1000.0) == 600.0 - LEAD_S
    ends_s = 1600.0 - LEAD_S
    assert one.mode(Mode.RUN, ends_s) is Mode.RELEASE
    assert one.mode(Mode.DRAIN, ends_s) is Mode.RELEASE
    assert one.left_s(2000.0) == 0.0


def test_nobody_would_adopt_its_jobs() -> None:
    assert _leaving(Inside(SLURM)).mode(Mode.HANDOVER, 1000.0) is Mode.RELEASE


def test_the_user_s_end_counts_if_it_is_sooner() -> None:
    inside = Inside(SLURM, for_s=300.0, first=Told(left_s=600.0))
    assert _leaving(inside).left_s(1000.0) == 300.0 - LEAD_S
    assert _leaving(inside._replace(for_s=900.0)).left_s(1000.0) == 600.0 - LEAD_S


def test_an_end_that_moves_is_learned_and_silence_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = [Told(left_s=5000.0), Told()]
    monkeypatch.setattr(leaving, "ask", lambda _: answers.pop(0))
    one = _leaving(Inside(SLURM, first=Told(left_s=600.0)))
    asked_s = 1000.0 + ASK_EVERY_S
    for now_s in (asked_s, asked_s + 1, asked_s + ASK_EVERY_S, asked_s + ASK_EVERY_S + 1):
        one.look(now_s, holds=False)
    assert answers == []
    assert one.left_s(asked_s) == 5000.0 - LEAD_S


def test_an_idle_worker_leaves_and_one_with_jobs_stays() -> None:
    one = _leaving(None, idle_s=60.0)
    assert one.next_s(1010.0) == 50.0
    assert one.mode(Mode.RUN, 1060.0) is Mode.DRAIN
    one.look(1059.0, holds=True)
    assert one.mode(Mode.RUN, 1060.0) is Mode.RUN
