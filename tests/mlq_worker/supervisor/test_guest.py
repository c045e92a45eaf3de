"""How often the supervisor looks at others' needs: each second for its jobs, seldom without."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from mlq.jobs.attempt import AttemptId
from mlq_worker.guest.rules import GuestRules
from mlq_worker.guest.watch import Seen
from mlq_worker.ipc.clock import Moment
from mlq_worker.supervisor.attempt import Phase
from mlq_worker.supervisor.guest import Guest

WAITING: Any = SimpleNamespace(id=AttemptId("1", 1), phase=Phase.WAITING)


class Watcher:
    """Is asked, and notes when."""

    def __init__(self) -> None:
        self.at: list[float] = []

    def look(self, *asked: Any) -> Seen:
        self.at.append(asked[-1].at)
        return Seen()


class NoCores:
    """Pins nothing."""

    def start(self, *_asked: object) -> tuple[frozenset[int], ...]:
        return ()

    def keep(self, *_asked: object) -> None:
        """Forget nothing."""


@pytest.fixture
def watcher() -> Watcher:
    return Watcher()


@pytest.fixture
def guest(watcher: Watcher) -> Guest:
    guest = Guest(watcher, NoCores(), print)
    guest.set_rules(GuestRules())
    return guest


def pass_time(guest: Guest, began: float, held: Sequence[Any], seconds: float = 6.0) -> None:
    for tenth in range(round(10 * seconds)):
        guest.look(held, Moment(began + tenth / 10, ""))


def test_each_second_with_jobs(guest: Guest, watcher: Watcher) -> None:
    pass_time(guest, 0.0, [WAITING])
    assert watcher.at == [0, 1, 2, 3, 4, 5]


def test_every_two_seconds_without(guest: Guest, watcher: Watcher) -> None:
    pass_time(guest, 0.0, [])
    assert watcher.at == [0, 2, 4]


def test_at_once_for_jobs_that_come_later(guest: Guest, watcher: Watcher) -> None:
    guest.look([], Moment(0.0, ""))
    assert guest.has_dozed(1.5)
    pass_time(guest, 1.5, [WAITING], 2.0)
    assert watcher.at == [0, 1.5, 2.5]


def test_a_second_after_the_last_look_for_jobs_that_come_soon(
    guest: Guest, watcher: Watcher
) -> None:
    guest.look([], Moment(0.0, ""))
    assert not guest.has_dozed(0.5)
    pass_time(guest, 0.5, [WAITING], 2.0)
    assert watcher.at == [0, 1, 2]
