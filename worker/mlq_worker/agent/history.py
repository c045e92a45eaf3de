"""What an end means beside its result: the past of the job, and the patience with it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from mlq.jobs.request import Request
from mlq.settings.settings import Settings

# The pause before a retry grows with each retry, up to the longest.
PAUSE_GROWTH, LONGEST_PAUSE_S = 3, 600.0


@dataclass(frozen=True, slots=True)
class History:
    """The part of a job's past that decides what its next end means.

    Args:
        retries: how often to try it again after a failure, as its user asked.
        failures: how many attempts have failed by themselves.
        losses: how many attempts were lost with their machine.
        stop: why its user wants it to end; "" if not.
        folder_faults: how many attempts could not start because the job's own folder failed.
        request: what it asked for; None if that is not known.
        oom_retries: how often to try it with more memory, as its user asked.
        ooms: after how many attempts it asked for more.
        crowded: how many attempts had too little memory because of others on their machine.
        requeue: whether it may run again after a loss, or once its worker has stopped it.
        soon_asked: how many attempts in a row asked to be queued again soon after their start.
        wish: why its user wants it queued again; "" if not.
    """

    retries: int = 0
    failures: int = 0
    losses: int = 0
    stop: str = ""
    folder_faults: int = 0
    request: Request | None = None
    oom_retries: int = 0
    ooms: int = 0
    crowded: int = 0
    requeue: bool = True
    soon_asked: int = 0
    wish: str = ""


class Patience(NamedTuple):
    """How many losses and pauses a job gets before it fails.

    Args:
        max_losses: how many losses it survives.
        retry_pause_s: how long it waits before its first retry.
    """

    max_losses: int
    retry_pause_s: float

    @classmethod
    def of(cls, settings: Settings) -> Patience:
        """Return the patience that the settings ask for."""
        return cls(settings.max_losses, settings.retry_pause_s)

    def pause_s(self, earlier: int) -> float:
        """Return how many seconds to wait before the next try, after `earlier` tries."""
        longest_s = max(self.retry_pause_s, LONGEST_PAUSE_S)
        return float(min(longest_s, self.retry_pause_s * PAUSE_GROWTH ** min(earlier, 20)))
