"""Asks what may never be answered (NFS, a directory service) in one thread of its own.

The supervisor's loop must not wait. It asks, goes on, and reads the last answer when it looks next.
Invariant: there is never more than one thread for one kind of question, however many hang.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Hashable
from queue import SimpleQueue
from typing import Generic, TypeVar

from mlq.threads import start_thread

Q = TypeVar("Q", bound=Hashable)
A = TypeVar("A")


class Asker(Generic[Q, A]):
    """Answers questions in a thread; a question that raises OSError is not answered.

    Args:
        answer: finds an answer; it may hang.
    """

    def __init__(self, answer: Callable[[Q], A]) -> None:
        self._answer = answer
        self._asked: SimpleQueue[Q] = SimpleQueue()
        self._open: set[Q] = set()
        self._answers: dict[Q, A] = {}
        self._lock = threading.Condition()
        self._thread: threading.Thread | None = None

    def ask(self, question: Q) -> None:
        """Have a question answered, unless its answer is being waited for."""
        self._thread = self._thread or start_thread(self._work, "asker")
        if self._thread is None:
            return  # no room for one more: the next look asks again
        with self._lock:
            if question in self._open:
                return
            self._open.add(question)
        self._asked.put(question)

    def wait(self, question: Q, longest_s: float) -> None:
        """Wait for a moment for the answer to a question that has been asked."""
        with self._lock:
            self._lock.wait_for(lambda: question not in self._open, longest_s)

    def last(self, question: Q) -> A | None:
        """Return the last answer; None if there is none yet."""
        with self._lock:
            return self._answers.get(question)

    def keep(self, questions: Collection[Q]) -> None:
        """Forget the answers to all others."""
        with self._lock:
            for question in self._answers.keys() - set(questions):
                del self._answers[question]

    def _work(self) -> None:
        while True:
            question = self._asked.get()
            found: A | None
            try:
                found = self._answer(question)
            except OSError:
                found = None
            with self._lock:
                if found is not None:
                    self._answers[question] = found
                self._open.discard(question)
                self._lock.notify_all()
