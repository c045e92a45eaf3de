"""Moves that the queue refuses, each set aside by itself.

A spoilt key in the queue, or a bug, may make the move of one job fail. It must not
take the others' along, nor be sent again at once for ever. So it waits here, longer each time, and
the machine says which it is and why.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from mlq.store.operations import Move
from mlq.store.replies import Attempt, Refusal
from mlq_worker.agent.backoff import Backoff

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
        """Return in words what is set aside; "" if nothing is."""
        # What was not sent again for so long is no longer to be sent: it was settled elsewhere.
        late_s = now_s - 3 * _LONGEST_PAUSE_S
        self._why = {key: one for key, one in self._why.items() if one[1] >= late_s}
        if not self._why:
            return ""
        shown = [f"{job_id}.{attempt} ({why})" for (job_id, attempt), (why, _) in self._why.items()]
        more = len(shown) - _SHOWN
        named = ", ".join(shown[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
        return f"the queue refuses what became of {named}"
