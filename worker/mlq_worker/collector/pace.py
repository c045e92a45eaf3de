"""How long a job will still take, by its own pace in this attempt."""

from __future__ import annotations

from typing import NamedTuple

from mlq_worker.collector import kept_state as kept


class Pace(NamedTuple):
    """Two looks at one share.

    Args:
        of: what the share is of, so that two loops are never taken for one.
        first_s, first: when it was first seen in this attempt, and the share then.
        last_s, last: when it was seen last, and the share then.
    """

    of: str = ""
    first_s: float = 0.0
    first: float = 0.0
    last_s: float = 0.0
    last: float = 0.0

    @classmethod
    def restored(cls, raw: object) -> Pace:
        """Return what was kept as a list; raise ValueError if it is none."""
        of, *numbers = kept.values(raw, len(cls._fields))
        return cls(kept.text(of), *map(kept.number, numbers))

    def seen(self, of: str, at_s: float, share: float) -> Pace:
        """Return the pace with one more look; a share that fell or is of another loop is new."""
        if of != self.of or share < self.last:
            return Pace(of, at_s, share, at_s, share)
        return self._replace(last_s=max(at_s, self.last_s), last=share)

    def left_s(self, now_s: float) -> float | None:
        """Return the seconds until the share is 1; None if two looks do not tell it."""
        gained, took_s = self.last - self.first, self.last_s - self.first_s
        if self.last >= 1:
            return 0.0
        if gained <= 0 or took_s <= 0:
            return None
        silent_s = max(0.0, now_s - self.last_s)
        if silent_s > took_s:  # it has become slower
            return (1 - self.last) * (took_s + silent_s) / gained
        return max(0.0, (1 - self.last) * took_s / gained - silent_s)
