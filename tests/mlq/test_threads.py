"""Where there is no room for one more thread, one goes on without it."""

from __future__ import annotations

import threading

import pytest
from no_room import no_room_for_threads

from mlq.files.side_by_side import each
from mlq.threads import run_at_most, start_thread


def test_a_thread_begins() -> None:
    began = threading.Event()
    thread = start_thread(began.set, "test")
    assert thread is not None
    assert thread.daemon
    assert thread.name == "test"
    assert began.wait(20)


def test_without_room_there_is_none() -> None:
    with no_room_for_threads():
        with pytest.raises(RuntimeError):
            threading.Thread(target=print).start()
        assert start_thread(print, "test") is None
        run_at_most(20, pytest.fail, "test")


def test_what_hangs_is_waited_for_no_longer_than_told() -> None:
    hang, done = threading.Event(), []
    run_at_most(0.01, lambda: (hang.wait(), done.append(1)), "test")
    assert not done
    hang.set()
    run_at_most(20, lambda: done.append(2), "test")
    assert 2 in done


def test_helpers_that_cannot_come_are_done_without() -> None:
    slow = threading.Event()
    done: list[int] = []

    def do(number: int) -> None:
        slow.wait(0.005)
        done.append(number)

    with no_room_for_threads():
        each(range(10), do)
    assert done == list(range(10))
