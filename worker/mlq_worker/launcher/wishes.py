"""Which attempts ask to be queued again: by empty files in the runtime folder of this machine.

A job makes its file (`mlq requeue`, `mlq.requeue()`), so the wish is kept while neither queue nor
worker nor results root can be reached. The folder is local, so to look there never hangs: the
launcher looks in its main thread, each second while an attempt runs and once more at its end. What
it finds goes into the result; so the supervisor, a later worker, the reaper and a restore read the
same. If the machine is lost before, the job is queued again as well.

The variable that names the file is set here, too: a job of an older launcher asks the queue.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

from mlq.jobs.attempt import AttemptId
from mlq_worker.ipc.launcher_messages import Wish
from mlq_worker.ipc.values import Result, Started, has_ended_by_itself, requeued
from mlq_worker.launcher.attempt import LaunchedAttempt

LOOK_S = 1.0
VARIABLE = "MLQ_REQUEUE_FILE"
_PREFIX = "requeue."


class Wishes:
    """The wishes of one launcher's attempts; those of an earlier launcher, which died with it, go.

    Args:
        folder: local, and only this user's.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        for path in folder.glob(f"{_PREFIX}*"):
            with suppress(OSError):
                path.unlink()

    def variables(self, attempt: AttemptId) -> dict[str, str]:
        """Return what tells a job which file to make."""
        return {VARIABLE: self._path(attempt)}

    def asks(self, attempt: AttemptId) -> bool:
        """Return whether an attempt asks to be queued again."""
        with suppress(OSError):
            return stat.S_ISREG(os.lstat(self._path(attempt)).st_mode)
        return False

    def drop(self, attempt: AttemptId) -> None:
        """Forget what an attempt asked: it has ended."""
        with suppress(OSError):
            os.unlink(self._path(attempt))  # noqa: PTH108 - thousands a second

    def _path(self, attempt: AttemptId) -> str:
        return f"{self._folder}/{_PREFIX}{attempt.job_id}.{attempt.number}"


class WishWatch:
    """Tells once of each running attempt that it asks to be queued again.

    Args:
        wishes: what they ask.
        clock: boot time.
        heard: is told.
    """

    def __init__(
        self, wishes: Wishes, clock: Callable[[], float], heard: Callable[[Wish], None]
    ) -> None:
        self._wishes, self._clock, self._heard = wishes, clock, heard
        self.variables = wishes.variables
        self._told: set[AttemptId] = set()
        self._look_at = 0.0

    def tick(self, now: float, running: Collection[LaunchedAttempt]) -> float:
        """Look if it is time to; return when (boot time) to call again."""
        if not running:
            self._look_at = now + LOOK_S  # what lasts less than that is looked at once, at its end
            return float("inf")
        if now < self._look_at:
            return self._look_at
        for attempt in running:
            if attempt.result is None and attempt.started and self._is_new(attempt.id):
                self._told.add(attempt.id)
                self._heard(Wish(attempt.id, now - attempt.started.at))
        self._look_at = now + LOOK_S
        return self._look_at

    def _is_new(self, attempt: AttemptId) -> bool:
        return attempt not in self._told and self._wishes.asks(attempt)

    def ended(self, result: Result, started: Started | None) -> Result:
        """Return the result of an attempt that has ended, by what it asked at the last moment."""
        if started is None:
            return result
        self._told.discard(result.attempt)
        if not self._wishes.asks(result.attempt):
            return result
        self._wishes.drop(result.attempt)
        if not has_ended_by_itself(result):
            return result
        return requeued(result, self._clock() - started.at)
