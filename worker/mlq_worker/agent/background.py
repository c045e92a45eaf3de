"""A thread that answers questions that may hang, so that the worker need not wait for them.

NFS often hangs for minutes, and so does a broken GPU. The worker therefore never asks them in its
own thread: it asks a background reader, goes on with its turn, and takes the answer when there is
one. While an earlier question is stuck, the reader refuses further ones, so that none pile up. It
refuses them, too, while a job has taken all the threads that its user may have.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from mlq.threads import start_thread

log = logging.getLogger(__name__)

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0  # after a question that raised an error
T = TypeVar("T")


class BackgroundReader(Generic[T]):
    """One thread that answers one question at a time.

    Args:
        wake: called in the thread when an answer is ready.
        sleep: waits for the given number of seconds.
    """

    def __init__(
        self, name: str, wake: Callable[[], None], sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._wake, self._sleep = wake, sleep
        self._questions: queue.SimpleQueue[Callable[[], T]] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[T] = queue.SimpleQueue()
        self._name, self._busy, self._serves = name, False, False
        self._begin()

    @property
    def busy(self) -> bool:
        """Whether a question is still unanswered."""
        return self._busy

    @property
    def answered(self) -> bool:
        """Whether an answer is ready."""
        return not self._answers.empty()

    def ask(self, question: Callable[[], T]) -> bool:
        """Ask, unless the reader is busy or has no thread; return whether it was asked."""
        if self._busy or not self._begin():
            return False
        self._busy = True
        self._questions.put(question)
        return True

    def answer(self) -> T | None:
        """Return the answer if there is one; then the reader is free again."""
        try:
            answer = self._answers.get_nowait()
        except queue.Empty:
            return None
        self._busy = False
        return answer

    def _begin(self) -> bool:
        """Start the thread unless it runs; return whether it does. There may be no room for it."""
        if not self._serves:
            self._serves = start_thread(self._serve, self._name) is not None
        return self._serves

    def _serve(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            question = self._questions.get()
            try:
                self._answers.put(question())
            except Exception:
                # The worker treats a missing answer as no evidence. The thread must not end: it
                # would never answer again. It pauses, so that a repeated error does not busy-loop.
                log.exception(
                    "the background reader %s has no answer", threading.current_thread().name
                )
                self._sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                self._busy = False
            else:
                pause_s = _FIRST_PAUSE_S
            self._wake()


class NewReader(Protocol):
    """Makes a background reader."""

    def __call__(self, name: str, wake: Callable[[], None]) -> BackgroundReader[Any]:
        """Return a new reader of this name; `wake` as for `BackgroundReader`."""
