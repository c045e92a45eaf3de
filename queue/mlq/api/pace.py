"""How many jobs go to the server in one operation, so that it answers others in between.

What a job costs differs between machines by a factor, and with the length of the list that a job
goes back into; so no fixed number is right. Each slice is sized by how long the one before took.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from mlq.store.client import Client

LEAST, FIRST, MOST = 150, 200, 500
AIM_S = 0.035

T = TypeVar("T")


class Pace:
    """Yields items in slices that the server does in about `AIM_S` each.

    Args:
        client: the way to the server, asked for nothing once, to know how long the way takes.
        clock: monotonic seconds.
    """

    def __init__(self, client: Client, clock: Callable[[], float] = time.monotonic) -> None:
        self._client, self._clock = client, clock
        self._way_s: float | None = None
        self._took_s = 0.0
        self._measures = False

    def slices(self, items: Sequence[T]) -> Iterator[tuple[int, Sequence[T]]]:
        """Yield the items in slices, each with how many are done after it."""
        size, at = FIRST, 0
        self._measures = len(items) > size
        while at < len(items):
            part = items[at : at + size]
            at += len(part)
            self._took_s = 0.0
            yield at, part
            size = _next_size(len(part), self._took_s)

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Measure an operation on the current slice."""
        if not self._measures:
            yield
            return
        if self._way_s is None:
            self._way_s = self._seconds(lambda: self._client.call("PING"))
        began = self._clock()
        yield
        self._took_s = max(self._took_s, self._clock() - began - self._way_s)

    def _seconds(self, act: Callable[[], object]) -> float:
        began = self._clock()
        act()
        return self._clock() - began


def _next_size(size: int, took_s: float) -> int:
    if took_s <= 0:
        return MOST
    return max(LEAST, min(MOST, round(size * AIM_S / took_s)))
