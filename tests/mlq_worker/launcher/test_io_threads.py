"""The pool: one thread while the disk is quick, more when it hangs."""

from __future__ import annotations

import select
import threading
from collections.abc import Callable, Iterator

import pytest
from waiting import wait_for

from mlq_worker.ipc.clock import boottime
from mlq_worker.launcher.io_threads import Pool


@pytest.fixture
def release() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def serve(pool: Pool) -> None:
    """One turn of the owner."""
    due = pool.tick(boottime())
    select.select([pool], [], [], min(0.05, max(0.0, due - boottime())))
    pool.collect()


def until(pool: Pool, condition: Callable[[], bool]) -> None:
    def served() -> bool:
        serve(pool)
        return condition()

    wait_for(served, what="the pool")


def test_calls_run_in_order_and_are_continued_by_the_owner() -> None:
    pool, seen, threads = Pool(3, boottime), [], set()

    def call(number: int) -> Callable[[], None]:
        return lambda: (seen.append(number), threads.add(threading.get_ident()))[0]

    for number in range(20):
        pool.submit(lambda number=number: call(number))  # type: ignore[misc]
    until(pool, lambda: len(seen) == 20)
    assert seen == list(range(20))
    assert threads == {threading.get_ident()}


def test_a_call_that_hangs_holds_nobody_up(release: threading.Event) -> None:
    pool, seen = Pool(2, boottime), []

    def hang() -> Callable[[], None]:
        release.wait()
        return lambda: seen.append("hung")

    pool.submit(hang)
    for number in range(3):
        pool.submit(lambda number=number: lambda: seen.append(number))  # type: ignore[misc]
    until(pool, lambda: len(seen) == 3)
    assert sorted(seen) == [0, 1, 2]
    release.set()
    until(pool, lambda: "hung" in seen)


def test_an_error_comes_out_where_it_is_collected() -> None:
    pool = Pool(1, boottime)

    def fail() -> Callable[[], None]:
        raise RuntimeError("broken")

    pool.submit(fail)
    with pytest.raises(RuntimeError, match="broken"):
        until(pool, lambda: False)
