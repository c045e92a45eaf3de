"""Threads that ask the queue and read files for the screen, which therefore never waits.

A thread may hang as long as it likes: nothing waits for it, at the end least of all. What it has
found it hands over by a callback, which must be safe to call from another thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from mlq.api.queue import Queue
from mlq.errors import MlqError
from mlq_cli.top.asking import Asked, look
from mlq_cli.top.detail import CurveSeen, LogSeen
from mlq_cli.top.job_files import JobFiles
from mlq_cli.top.snapshot import Snapshot

Seen = TypeVar("Seen", LogSeen, CurveSeen)

PERIOD_S = 2.0
_SHARE, _LONGEST_S = 30.0, 10.0
"""A queue that takes long to answer is asked more rarely: so many times as long passes."""


class Answer(NamedTuple):
    """What the queue said, or why it said nothing."""

    seen: Snapshot | None
    error: MlqError | None = None


class QueueWatch:
    """Asks the queue again and again, in a thread; opens a new connection after each failure.

    Args:
        open_queue: returns the queue over a new connection.
        period_s: between two answers.
    """

    def __init__(self, open_queue: Callable[[], Queue], period_s: float = PERIOD_S) -> None:
        self._open, self._period_s = open_queue, period_s
        self.asked = Asked()
        self.answer: Answer | None = None
        self.tell: Callable[[Answer], None] = lambda _: None
        self._queue: Queue | None = None
        self._wanted, self._first = threading.Event(), threading.Event()
        self._busy_since_s: float | None = None

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self._run, name="queue", daemon=True).start()

    def busy_s(self) -> float:
        """Return for how long the thread has waited for the queue."""
        since_s = self._busy_since_s
        return 0.0 if since_s is None else time.monotonic() - since_s

    def first(self, timeout_s: float) -> Answer | None:
        """Return the first answer; None if there is none in time."""
        self._first.wait(timeout_s)
        return self.answer

    def ask_now(self) -> None:
        """Ask again at once."""
        self._wanted.set()

    def _run(self) -> None:
        while True:
            self._wanted.clear()
            self._busy_since_s = began_s = time.monotonic()
            self.answer = self._ask()
            took_s = time.monotonic() - began_s
            self._busy_since_s = None
            self._first.set()
            self.tell(self.answer)
            self._wanted.wait(min(_LONGEST_S, max(self._period_s - took_s, _SHARE * took_s)))

    def _ask(self) -> Answer:
        try:
            if self._queue is None:
                self._queue = self._open()
            return Answer(look(self._queue, self.asked, time.time()))
        except MlqError as error:
            queue, self._queue = self._queue, None
            if queue is not None:
                queue.store.client.close()
            return Answer(None, error)


class FilesAsked(NamedTuple):
    """What the screen wants of the results root.

    Args:
        job_id, attempt: whose log.
        metric: which metric; "" for none.
        version: anything that changes when the job has reported more.
        grows: whether the log may still grow.
    """

    job_id: str = ""
    attempt: int = 0
    metric: str = ""
    version: object = None
    grows: bool = False


class FilesWatch:
    """Reads the log and a metric of the selected job, in a thread.

    Args:
        open_files: returns the results root; it may hang, too.
        period_s: between two looks at a log that grows.
    """

    def __init__(
        self,
        open_files: Callable[[], JobFiles],
        period_s: float = PERIOD_S,
    ) -> None:
        self._open, self._period_s = open_files, period_s
        self.tell: Callable[[LogSeen | CurveSeen], None] = lambda _: None
        self._asked = FilesAsked()
        self._wanted = threading.Event()
        self._busy_since_s: float | None = None

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self._run, name="files", daemon=True).start()

    def ask(self, asked: FilesAsked) -> None:
        """Replace what is wanted."""
        if asked != self._asked:
            self._asked = asked
            self._wanted.set()

    def busy_s(self) -> float:
        """Return for how long the thread has waited for the results root."""
        since_s = self._busy_since_s
        return 0.0 if since_s is None else time.monotonic() - since_s

    def _run(self) -> None:
        self._busy_since_s = time.monotonic()
        files = self._open()
        log, drawn = LogSeen(), CurveSeen()
        while True:
            self._wanted.clear()
            asked = self._asked
            self._busy_since_s = time.monotonic()
            if asked.job_id and asked.attempt:
                log = self._told(files.log(asked.job_id, asked.attempt), log)
            if asked.job_id and asked.metric:
                found = _curve(files, asked)
                drawn = drawn if found is None else self._told(found, drawn)
            self._busy_since_s = None
            self._wanted.wait(self._period_s if asked.grows else None)

    def _told(self, found: Seen, before: Seen) -> Seen:
        if found != before:
            self.tell(found)
        return found


def _curve(files: JobFiles, asked: FilesAsked) -> CurveSeen | None:
    try:
        return files.curve(asked.job_id, asked.metric, asked.version)
    except MlqError:
        return None  # the log says what is wrong
