"""When to try again what failed: after growing pauses, separately for each thing.

A loop that retries a failure at once wastes a core and the queue's time, and a thing that fails
must not make its neighbours wait. So the worker uses this module for every retry that something
outside it may cause.

A damaged key in the queue, or a bug, may make the move of one job fail. Such a move waits in
`RefusedMoves`, longer each time, and the machine reports which move it is and why.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable
from typing import Generic, NamedTuple, TypeVar

from mlq.store.operations import Move
from mlq.store.replies import Attempt, Refusal

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


_SHOWN = 3
_LONGEST_PAUSE_S = 300.0


class RefusedMoves:
    """The refused moves of one worker.

    Args:
        first_s: the first pause.
    """

    def __init__(self, first_s: float) -> None:
        self._pauses: Backoff[Attempt] = Backoff(first_s, _LONGEST_PAUSE_S)
        self._why: dict[Attempt, tuple[str, float]] = {}

    def due(self, moves: Iterable[Move], now_s: float) -> list[Move]:
        """Return those of the moves that may be sent now."""
        return [one for one in moves if self._pauses.is_due((one.id, one.attempt), now_s)]

    def sent(self, moves: Iterable[Move], refused: Collection[Refusal], now_s: float) -> None:
        """Note which of the moves that were sent the queue refused."""
        keys = {one.key for one in refused}
        for move in moves:
            if (move.id, move.attempt) not in keys:
                self._pauses.succeeded((move.id, move.attempt))
                self._why.pop((move.id, move.attempt), None)
        for one in refused:
            self._pauses.failed(one.key, now_s)
            self._why[one.key] = one.why, now_s

    def words(self, now_s: float) -> str:
        """Return a description of the refused moves; "" if there are none."""
        # A move that was not sent again for this long was settled elsewhere.
        late_s = now_s - 3 * _LONGEST_PAUSE_S
        self._why = {key: one for key, one in self._why.items() if one[1] >= late_s}
        if not self._why:
            return ""
        shown = [f"{job_id}.{attempt} ({why})" for (job_id, attempt), (why, _) in self._why.items()]
        more = len(shown) - _SHOWN
        named = ", ".join(shown[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
        return f"the queue refuses what became of {named}"
