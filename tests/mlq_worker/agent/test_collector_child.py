"""The collector as another process: it may hang, crash and be killed, and the worker goes on."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator

import pytest
from waiting import wait_for

from mlq_worker.agent.collector_child import CollectorChild
from mlq_worker.collector.protocol import Found, Wanted
from mlq_worker.ipc import procfs

# Does as the job's id says.
COLLECTOR = """
import os, sys, time
from mlq_worker.collector.protocol import Figures, Found, answer_line, read_request
for line in sys.stdin.buffer:
    for wanted in read_request(line):
        while wanted.id == "computes":
            pass
        if wanted.id == "sleeps":
            time.sleep(1000)
        if wanted.id == "crashes":
            os._exit(3)
        os.write(1, answer_line(Found(*wanted.key, Figures(f"{wanted.id} by {os.getpid()}"))))
    os.write(1, answer_line(None))
"""


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def child(clock: Clock) -> Iterator[CollectorChild]:
    child = CollectorChild("/nowhere", "q", clock=clock, silent_s=0.5, pause_s=5.0)
    child._argv = (sys.executable, "-c", COLLECTOR)  # type: ignore[assignment]
    yield child
    if child._child is not None:
        child._child.kill()
        child._child.wait()


def wanted(*ids: str) -> list[Wanted]:
    return [Wanted(one, 1) for one in ids]


def names(found: tuple[Found, ...]) -> list[str]:
    return [one.id for one in found]


def test_one_process_answers_one_request_after_the_other(child: CollectorChild) -> None:
    child._silent_s = 20.0
    first = child.ask(wanted("7", "8"))
    assert (names(first.found), first.blamed, first.fault) == (["7", "8"], None, "")
    assert child.ask(wanted("7")).found == first.found[:1]


def test_a_request_longer_than_a_pipe_is_sent_whole(child: CollectorChild) -> None:
    child._silent_s = 20.0
    long = [Wanted(str(number), 1, (("acc", "x" * 2000),)) for number in range(300)]
    assert len(child.ask(long).found) == 300


def test_an_attempt_that_keeps_it_computing_is_blamed_and_the_next_question_answered(
    child: CollectorChild,
) -> None:
    child._silent_s = 20.0
    child.ask(wanted("7"))
    pid, child._silent_s = child.pid, 4.0
    answer = child.ask(wanted("7", "computes", "8"))
    assert (names(answer.found), answer.blamed) == (["7"], ("computes", 1))
    assert answer.fault == "it did not answer for 4 s"
    assert pid is not None
    assert procfs.look_at(pid) is None
    child._silent_s = 20.0
    assert names(child.ask(wanted("7", "8")).found) == ["7", "8"]


def test_one_that_waits_for_the_storage_is_blamed_on_nobody(
    child: CollectorChild, clock: Clock
) -> None:
    child._silent_s = 20.0
    child.ask(wanted("7"))
    child._silent_s = 0.3
    answer = child.ask(wanted("7", "sleeps"))
    assert (names(answer.found), answer.blamed) == (["7"], None)
    child._silent_s = 20.0
    assert child.ask(wanted("7")).fault == answer.fault, "it is started again after a pause"
    clock.now_s = 5.0
    assert names(child.ask(wanted("7")).found) == ["7"]


def test_an_attempt_at_which_it_crashes_is_blamed(child: CollectorChild) -> None:
    child._silent_s = 20.0
    answer = child.ask(wanted("7", "crashes", "8"))
    assert (names(answer.found), answer.blamed) == (["7"], ("crashes", 1))
    assert names(child.ask(wanted("8")).found) == ["8"]


def test_one_that_somebody_kills_is_blamed_on_nobody_and_started_again(
    child: CollectorChild, clock: Clock
) -> None:
    child._silent_s = 20.0
    child.ask(wanted("7"))
    assert child.pid is not None
    pid = child.pid
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: procfs.look_at(pid).state == "Z")
    assert names(child.ask(wanted("7")).found) == ["7"]


def test_a_program_that_cannot_start_is_a_fault(child: CollectorChild, clock: Clock) -> None:
    child._argv = ("/nowhere/python",)  # type: ignore[assignment]
    assert "No such file" in child.ask(wanted("7")).fault
    assert "No such file" in child.ask(wanted("7")).fault
