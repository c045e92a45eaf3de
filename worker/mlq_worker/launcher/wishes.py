"""Which attempts ask to be queued again: by a file beside their results.

A job makes the file (`mlq requeue`, `mlq.requeue()`), so the wish is kept even while neither queue
nor worker can be reached. Only the launcher looks for it: each second while an attempt runs, and
once more before its result is written. So the supervisor, a later worker, the reaper and a restore
all learn of it from the result. The variable that names the file is set here, too: a job that was
started by an older launcher lacks it and asks the queue.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress

from mlq.files.layout import Layout
from mlq.jobs.attempt import AttemptId
from mlq_worker.launcher.io_threads import Pool

LOOK_S = 1.0
VARIABLE = "MLQ_REQUEUE_FILE"


def wishes(attempts: Collection[AttemptId], layout: Layout) -> list[AttemptId]:
    """Return which of these attempts ask to be queued again. May wait for the disk.

    The file is only looked at by name, not read: one on this machine made it, so no listing of its
    folder is needed to see it, and nothing in its place can make this wait.

    Args:
        attempts: running ones, or ones whose result is yet to be written.
        layout: where they lie.
    """
    return [one for one in attempts if _is_there(_path(one, layout))]


def _is_there(path: str) -> bool:
    with suppress(OSError):
        return stat.S_ISREG(os.lstat(path).st_mode)
    return False


def _path(attempt: AttemptId, layout: Layout) -> str:
    return layout.folder(attempt.job_id).requeue_file(attempt.number)


def variables(layout: Layout, attempt: AttemptId) -> Mapping[str, str]:
    """Return what tells a job which file to make."""
    return {VARIABLE: _path(attempt, layout)}


Look = Callable[[Collection[AttemptId]], list[AttemptId]]
"""Returns which of these attempts ask; may wait for the disk."""


class WishWatch:
    """Looks for wishes again and again, in a thread of a pool that may hang: one look at a time.

    Args:
        pool: the threads.
        look: at the results root.
        heard: is told, in the owner's thread, which attempts ask.
    """

    def __init__(self, pool: Pool, look: Look, heard: Callable[[list[AttemptId]], None]) -> None:
        self._pool, self._look, self._heard = pool, look, heard
        self._look_at = 0.0
        self._is_looking = False

    def tick(self, now: float, running: Collection[AttemptId]) -> float:
        """Look if it is time to; return when (boot time) to call again."""
        if not running:
            self._look_at = now + LOOK_S  # a job that is shorter costs nothing here
            return float("inf")
        if self._is_looking:
            return float("inf")  # the answer wakes the caller
        if now >= self._look_at:
            self._is_looking, self._look_at, attempts = True, now + LOOK_S, list(running)
            self._pool.submit(lambda: self._looked(self._look(attempts)))
            return float("inf")
        return self._look_at

    def _looked(self, found: list[AttemptId]) -> Callable[[], None]:
        return lambda: self._hear(found)

    def _hear(self, found: list[AttemptId]) -> None:
        self._is_looking = False
        self._heard(found)
