"""What our own processes used of the cores."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_proc import FakeProc

from mlq.jobs.attempt import AttemptId
from mlq_worker.guest.own_processes import OwnProcesses, spent_ticks
from mlq_worker.guest.trees import Trees
from mlq_worker.guest.watch import GuestAttempt
from mlq_worker.ipc.procfs import Target
from mlq_worker.ipc.values import Share

JOB = GuestAttempt(AttemptId("1", 1), Target(200), Share(), 0.0, "")


@pytest.fixture
def proc(tmp_path: Path) -> FakeProc:
    made = FakeProc(tmp_path)
    made.process(100, ticks=5)  # the supervisor
    made.process(101, parent=100, ticks=7)  # the launcher
    made.process(200, parent=101, ticks=0, reaped_ticks=11)  # a keeper
    made.process(201, parent=200, ticks=13)
    made.process(300, ticks=1000)  # somebody else's
    return made


def own(proc: FakeProc) -> OwnProcesses:
    return OwnProcesses(Trees(proc.root), lambda: (100,))


def test_all_that_is_ours_counts_once(proc: FakeProc) -> None:
    found = own(proc)
    assert [one.pid for one in found.of([JOB], 1.0)[200]] == [201]
    assert found.ticks() == {(100, 0): 5, (101, 0): 7, (200, 0): 11, (201, 0): 13}


def test_asked_again_at_the_same_time_it_looks_once(proc: FakeProc) -> None:
    found = own(proc)
    found.of([JOB], 1.0)
    proc.process(202, parent=200)
    assert len(found.of([JOB], 1.0)[200]) == 1
    assert len(found.again()[200]) == 2
    proc.process(203, parent=200)
    assert len(found.of([JOB], 2.0)[200]) == 3


def test_what_an_ended_child_spent_lives_on_in_its_parent() -> None:
    before = {(200, 1): 10, (201, 2): 50}
    assert spent_ticks(before, {(200, 1): 70}, 1.0) == 10
    assert spent_ticks(before, {(200, 1): 10, (201, 2): 80, (202, 900): 5}, 1.0) == 35


def test_who_becomes_ours_starts_from_what_it_has() -> None:
    assert spent_ticks({}, {(400, 99): 5000}, began_at=1.0) == 0
    assert spent_ticks({(5, 1): 900}, {}, 1.0) == 0
