"""How the worker claims very short jobs ahead.

A job that lasts a few milliseconds is over before the worker can claim the next one. So for a class
whose jobs have been that short, the worker claims more than can run at once. It plans how many (by
the mean duration), how many run at once (the width), and when to hand back those that wait. The
supervisor passes the orders on, and the launcher never runs more at once than the width. In their
messages a class of short jobs is a `lane`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from mlq.units import parse_iso
from mlq_worker.agent.attempt_result import AttemptResult
from mlq_worker.agent.local_attempt import LocalAttempt

PREFETCH_S = 0.1
"""The longest mean duration of a class whose jobs are claimed ahead."""

PREFETCH_MOST = 64

STALLED_S = 2.0
"""A job that waits longer is handed back; the short jobs ahead of it take PREFETCH_S in all."""

# Weight of the newest job in the running mean of a class's durations.
_NEWEST = 0.2


@dataclass(frozen=True, slots=True)
class ShortClass:
    """The attempts of one class of short jobs on this machine.

    Args:
        held: attempts of the class that this machine holds, running and waiting.
        width: how many of them run at once.
        mean_s: the mean duration of its jobs in seconds; None if none has ended yet.
    """

    held: int = 0
    width: int = 0
    mean_s: float | None = None

    def ahead(self, width: int) -> int:
        """Return how many jobs to hold beyond those that run."""
        if self.mean_s is None or self.mean_s > PREFETCH_S:
            return 0
        return min(PREFETCH_MOST, int(width * PREFETCH_S / max(self.mean_s, 0.001)))

    def refill(self, room: int) -> int:
        """Return how many jobs to claim ahead now, beyond as many as there is room for."""
        waiting = max(0, self.held - self.width)
        ahead = self.ahead(self.width + room)
        # Refill several at once: a claim costs a round trip and a write to the server's disk.
        return ahead - waiting if waiting <= ahead // 2 else 0


@dataclass(slots=True)
class Prefetch:
    """What the worker has learned about each class: its jobs' duration, how many run at once."""

    _widths: dict[str, int] = field(default_factory=dict)
    _means_s: dict[str, float] = field(default_factory=dict)

    def learn(self, class_name: str, result: AttemptResult) -> None:
        """Take in how long a job of a class lasted."""
        if result.outcome == "exited" and result.exit_code:
            # Classes whose jobs fail are not claimed ahead: the next would most likely fail, too.
            self._means_s.pop(class_name, None)
        elif result.outcome == "exited" and result.started_at:
            lasted_s = max(0.0, parse_iso(result.ended_at) - parse_iso(result.started_at))
            mean_s = self._means_s.get(class_name, lasted_s)
            self._means_s[class_name] = mean_s + _NEWEST * (lasted_s - mean_s)

    def learn_stalled(self, class_name: str, waited_s: float) -> None:
        """Take in that a job of a class lasts at least this long: the class is no longer short."""
        self._means_s[class_name] = waited_s

    def is_short(self, class_name: str) -> bool:
        """Return whether the jobs of this class are short enough to be claimed ahead."""
        return self._means_s.get(class_name, PREFETCH_S + 1) <= PREFETCH_S

    def classes(self, active: Iterable[LocalAttempt]) -> dict[str, ShortClass]:
        """Return what is known of each class, by name, while these attempts are active."""
        held: dict[str, int] = {}
        for one in active:
            if one.prefetched:
                held[one.class_name] = held.get(one.class_name, 0) + 1
        return {
            name: ShortClass(
                held.get(name, 0), min(self._widths.get(name, 0), held.get(name, 0)), mean_s
            )
            for name, mean_s in self._means_s.items()
        }

    def wider(self, class_name: str, active: Iterable[LocalAttempt], fitting: int) -> int:
        """Return how many jobs of a class run at once, after more were claimed.

        Args:
            class_name: the class.
            active: what was active before the claim.
            fitting: how many of the claimed ones fit what is free.
        """
        return max(1, self.classes(active)[class_name].width + fitting)

    def set_width(self, class_name: str, width: int) -> None:
        """Let `width` jobs of a class run at once."""
        self._widths[class_name] = width

    def restore_widths(self, active: Iterable[LocalAttempt]) -> None:
        """After attempts were adopted, let as many run at once as run now."""
        for one in active:
            if one.prefetched and one.leader_pid is not None:
                self._widths[one.class_name] = self._widths.get(one.class_name, 0) + 1

    def running(self, active: Iterable[LocalAttempt]) -> list[LocalAttempt]:
        """Return the active attempts that hold resources; those that wait hold none."""
        counts: dict[str, int] = {}
        found = []
        for one in active:
            if one.prefetched:
                counts[one.class_name] = counts.get(one.class_name, 0) + 1
                if counts[one.class_name] > self._widths.get(one.class_name, 0):
                    continue
            found.append(one)
        return found


def waiting(active: Iterable[LocalAttempt]) -> list[LocalAttempt]:
    """Return the attempts that were claimed ahead, have not started and were not told to end."""
    return [one for one in active if one.prefetched and one.leader_pid is None and not one.stopping]


def stalled(active: Iterable[LocalAttempt], now_s: float) -> list[LocalAttempt]:
    """Return the attempts that have waited for too long.

    The class's jobs were short so far, but one of them is not: those behind it are better off on
    another machine, or back in their place in the queue.
    """
    return [one for one in waiting(active) if now_s - one.started_s > STALLED_S]
