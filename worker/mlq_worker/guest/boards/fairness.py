"""Who of several users has had how much of a machine: pure.

Each worker adds up for itself what it sees others hold, and what it holds. It forgets half of that
every four hours: who had the machine alone last night owes nothing in the afternoon.
"""

from __future__ import annotations

from collections.abc import Mapping

HALF_LIFE_S = 4 * 3600.0
_LONGEST_S = 120.0  # longer without a look: the machine was suspended, or the worker stopped
_FORGOTTEN = 1e-4  # seconds of a whole machine

Holder = tuple[int, str]
"""A user's number, and the queue."""


class Usage:
    """What each queue has held, in seconds of the whole machine."""

    def __init__(self) -> None:
        self._held_s: dict[Holder, float] = {}
        self._at: float | None = None
        self._shares: Mapping[Holder, float] = {}

    def add(self, shares: Mapping[Holder, float], at: float) -> None:
        """Note what each holds now; what changed since the last call did so half-way.

        Args:
            shares: of the machine, 1 for all cores and 1 for all GPUs.
            at: a clock that never goes back, in seconds.
        """
        passed_s = 0.0 if self._at is None else max(0.0, at - self._at)
        self._at = at
        kept = 0.5 ** (passed_s / HALF_LIFE_S)
        self._held_s = {
            who: held for who, one in self._held_s.items() if (held := one * kept) > _FORGOTTEN
        }
        before, self._shares = self._shares, shares
        if passed_s > _LONGEST_S:
            return
        for who in before.keys() | shares.keys():
            share = (before.get(who, 0.0) + shares.get(who, 0.0)) / 2
            self._held_s[who] = self._held_s.get(who, 0.0) + share * passed_s

    def of(self, who: Holder, beside: Holder) -> float:
        """Return what a queue has held, as it counts beside another one.

        All queues of a user count together, but for another queue of the same user.
        """
        if who[0] == beside[0]:
            return self._held_s.get(who, 0.0)
        return sum(held for (uid, _), held in self._held_s.items() if uid == who[0])

    def has_less(self, who: Holder, than: Holder) -> bool:
        """Return whether a queue has held less than another one; not if it is as good as equal."""
        return self.of(who, than) < self.of(than, who) - _FORGOTTEN
