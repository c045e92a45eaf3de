"""Does many small operations on a disk: in sequence on a quick one, in parallel on NFS.

An operation on NFS is a wait of some milliseconds, and waits can overlap; on a local disk handing
over costs more than the work. So this thread does the first few, and others help only if it had to
wait: the kernel counts how often a thread gave its core away. Time alone says too little: on a busy
machine everything takes long, and more threads make it longer (four times the CPU, measured).
"""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

from mlq.threads import start_thread

T = TypeVar("T")
R = TypeVar("R")

HELPERS = 15
_TRIED, _SLOW_S = 3, 0.001  # helpers come if the first few took so long each, and waited


def each(items: Iterable[T], do: Callable[[T], object]) -> None:
    """Call `do` with each item, in no order.

    Args:
        items: taken by one thread at a time.
        do: called by several at once.

    Raises:
        the first error of either; what has begun is finished before.
    """
    work = _Work(iter(items), do)
    work.run(until_slow=True)
    if not work.is_slow:
        return work.check()
    helpers = [start_thread(work.run, "helper") for _ in range(HELPERS)]
    work.run()
    for helper in helpers:
        if helper is not None:
            helper.join()
    return work.check()


def results(work: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Return what `work` gives for each item, in their order; raises what `each` does."""
    found: dict[int, R] = {}

    def note(numbered: tuple[int, T]) -> None:
        found[numbered[0]] = work(numbered[1])

    each(enumerate(items), note)
    return [found[at] for at in range(len(found))]


class _Work:
    def __init__(self, items: Iterable[T], do: Callable[[T], object]) -> None:
        self._items, self._do = iter(items), do
        self._one_at_a_time = threading.Lock()
        self._errors: list[BaseException] = []
        self._done, self._took_s = 0, 0.0
        self._waits_before = _waits()

    @property
    def is_slow(self) -> bool:
        if self._done < _TRIED or self._took_s <= self._done * _SLOW_S:
            return False
        return _waits() - self._waits_before >= self._done

    def run(self, *, until_slow: bool = False) -> None:
        """Do items until there are none; an error of one ends all."""
        try:
            while not self._errors and not (until_slow and self.is_slow):
                with self._one_at_a_time:
                    item = next(self._items)
                began_s = time.monotonic()
                self._do(item)
                self._took_s += time.monotonic() - began_s
                self._done += 1
        except StopIteration:
            return
        except BaseException as error:  # noqa: BLE001 - raised again by `check`
            self._errors.append(error)

    def check(self) -> None:
        for error in self._errors:
            raise error


def _waits() -> int:
    """Return how often this thread has waited for something."""
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
