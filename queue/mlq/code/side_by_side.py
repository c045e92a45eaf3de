"""Does the same work for many files: one by one, or in parallel if each takes long.

On a local disk a file takes 50 microseconds, and threads would only cost time. On NFS each file
waits some milliseconds for the server, and a project of 500 files would take seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")

_PROBED = 16
_SLOW_S = 0.001
_THREADS = 16


def each(
    work: Callable[[A], B], items: Iterable[A], clock: Callable[[], float] = time.monotonic
) -> Iterator[B]:
    """Return the function's result for each item, in their order.

    Args:
        work: the function; may be called in several threads.
        items: its arguments.
        clock: monotonic seconds.
    """
    left = iter(items)
    began = clock()
    first = [work(one) for one in islice(left, _PROBED)]
    yield from first
    if not first or (clock() - began) / len(first) < _SLOW_S:
        yield from map(work, left)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(_THREADS) as pool:
        yield from pool.map(work, left)
