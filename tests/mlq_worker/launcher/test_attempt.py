"""Which cores of its lane an attempt starts on."""

from __future__ import annotations

from dataclasses import replace

from attempt_events import order

from mlq.jobs.attempt import AttemptId
from mlq_worker.launcher.attempt import LaunchedAttempt

ONE, TWO = frozenset({0, 1}), frozenset({2, 3})


def in_lane(job_id: str, lane: str | None, *choice: frozenset[int]) -> LaunchedAttempt:
    made = replace(order(job_id, attempt=AttemptId(job_id, 1)), lane=lane)
    return LaunchedAttempt(made, 0.0, choice)


def test_jobs_of_a_lane_start_apart() -> None:
    first, second, third = (in_lane(name, "lane", ONE, TWO) for name in "123")
    other = in_lane("4", "other", ONE)
    other.take_cores([])
    assert first.take_cores([other]) == ONE
    assert second.take_cores([other, first]) == TWO
    assert third.take_cores([other, first, second]) == ONE  # the supervisor finds room at its look
    assert in_lane("5", "lane", ONE, TWO).take_cores([second]) == ONE


def test_without_a_choice_it_is_not_pinned() -> None:
    assert in_lane("1", None).take_cores([]) == frozenset()
    assert in_lane("1", None, TWO).take_cores([in_lane("2", None, TWO)]) == TWO
