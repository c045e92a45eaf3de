"""When to try again what failed: each time later, and each thing by itself.

A loop that asks again at once what has just failed takes a processor and the queue for nothing. And
a thing that fails must not make its neighbours wait. So every retry of the worker that something
outside may cause passes through here.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable
from typing import Generic, NamedTuple, TypeVar

K = TypeVar("K", bound=Hashable)


class _Pause(NamedTuple):
    since_s: float
    until_s: float
    length_s: float


class Backoff(Generic[K]):
    """Remembers what failed, since when, and when each may be tried again.

    Args:
        first_s: the pause after the first failure; doubled after each further one.
        longest_s: the longest pause.
    """

    def __init__(self, first_s: float, longest_s: float) -> None:
        self._first_s, self._longest_s = first_s, longest_s
        self._pauses: dict[K, _Pause] = {}

    def is_due(self, key: K, now_s: float) -> bool:
        """Return whether this may be tried now."""
        pause = self._pauses.get(key)
        return pause is None or now_s >= pause.until_s

    def failed(self, key: K, now_s: float) -> float:
        """Note that this failed just now; return for how long it has been failing."""
        before = self._pauses.get(key)
        since_s = now_s if before is None else before.since_s
        length_s = self._first_s if before is None else 2 * before.length_s
        length_s = min(length_s, self._longest_s)
        self._pauses[key] = _Pause(since_s, now_s + length_s, length_s)
        return now_s - since_s

    def succeeded(self, key: K) -> None:
        """Note that this worked."""
        self._pauses.pop(key, None)

    def keep(self, keys: Collection[K]) -> None:
        """Forget all but these."""
        for key in [key for key in self._pauses if key not in keys]:
            del self._pauses[key]
