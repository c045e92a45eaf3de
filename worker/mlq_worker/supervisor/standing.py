"""Whether this supervisor may beat in its machine's name; a superseded one must stop in time.

Another host that was rightly given the name starts nothing while this supervisor's beat goes on.
So a supervisor falls silent

* while its worker is told that another host holds the name, even if attempts run: the fence pauses
  them at `fence_s`, before a reaper may call them dead;
* when for `dead_s` it has had no worker, and no beat could help any attempt that it holds: each has
  ended, with its result written, or the fence has paused it for so long that only the queue can
  say which machine has it. The supervisor beats again once a worker's renewal has said that.

Invariant: falling silent lets no attempt run longer, and no beat that follows resumes one: by then
`fence.beaten` counts none.
"""

from __future__ import annotations

from collections.abc import Iterable

from mlq_worker.liveness import fence
from mlq_worker.supervisor.attempt import HeldAttempt, Phase

DISPLACED = "another host was given the machine's name"
ALONE = "no worker has come for long: it leaves the machine's name"


class Standing:
    """What decides whether a supervisor beats.

    Args:
        timings: the settings of liveness.
        now: boot time.
    """

    def __init__(self, timings: fence.LivenessTimings, now: float) -> None:
        self._timings, self._worker_at = timings, now
        self._is_displaced = self._is_alone = False

    def renewed(self, *, displaced: bool) -> None:
        """Note the queue's answer to a renewal: whether the name is ours or another host's."""
        self._is_displaced, self._is_alone = displaced, self._is_alone and displaced

    def look(self, held: Iterable[HeldAttempt], now: float, *, has_worker: bool) -> str:
        """Return why it must not beat now, "" if it may."""
        if has_worker:
            self._worker_at = now
        elif now - self._worker_at >= self._timings.dead_s:
            self._is_alone = self._is_alone or all(self._is_past_help(one, now) for one in held)
        if self._is_displaced:
            return DISPLACED
        return ALONE if self._is_alone else ""

    def _is_past_help(self, attempt: HeldAttempt, now: float) -> bool:
        if attempt.phase is Phase.ENDED:
            return not (attempt.result and attempt.result.unwritten)
        is_still = attempt.phase is Phase.WAITING or attempt.is_fenced
        return is_still and not fence.can_be_beaten(attempt.contact, now, self._timings)
