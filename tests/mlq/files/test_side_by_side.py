"""Work is shared out only where the disk lets one wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from mlq.files.side_by_side import each, results


def test_what_waits_is_done_side_by_side() -> None:
    together, done = threading.Barrier(3), []

    def do(item: int) -> None:
        time.sleep(0.003)
        if item >= 20:
            together.wait(timeout=20)  # only several at once come past this
        done.append(item)

    each(range(26), do)
    assert sorted(done) == list(range(26))


def test_what_only_computes_is_done_here() -> None:
    threads = set()

    def do(_: int) -> None:
        until_s = time.thread_time() + 0.003
        while time.thread_time() < until_s:
            pass
        threads.add(threading.get_ident())

    each(range(10), do)
    assert threads == {threading.get_ident()}


@pytest.mark.parametrize("pause_s", [0.0, 0.003])
def test_an_error_ends_it_and_is_raised(pause_s: float) -> None:
    done = []

    def do(item: int) -> None:
        time.sleep(pause_s)
        if item == 20:
            raise OSError("full")
        done.append(item)

    with pytest.raises(OSError, match="full"):
        each(iter(range(10_000)), do)
    assert 15 < len(done) < 200


def test_an_error_of_what_gives_the_items_is_raised_too() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("cut short")

    done: list[int] = []
    with pytest.raises(ValueError, match="cut short"):
        each(items(), done.append)
    assert done == [1]


@pytest.mark.parametrize("pause_s", [0.0, 0.003])
def test_results_come_in_the_order_of_the_items(pause_s: float) -> None:
    def work(item: int) -> int:
        time.sleep(pause_s * (item % 3))
        return item * item

    assert results(work, iter(range(40))) == [item * item for item in range(40)]
    assert results(work, []) == []
