"""A few threads for work that may hang in NFS, and a way to wait for what they have done.

Not concurrent.futures: its threads are joined when the interpreter ends, and one that hangs in NFS
would keep the process. Here an abandoned thread is left behind.
"""

from __future__ import annotations

import os
import queue
import threading
from collections import deque
from collections.abc import Callable
from functools import partial


class Pool:
    """Runs calls in threads; their results are collected by the one who owns the pool.

    Args:
        size: how many calls run at once.
    """

    def __init__(self, size: int) -> None:
        self._calls: queue.SimpleQueue[Callable[[], Callable[[], None]]] = queue.SimpleQueue()
        self._done: deque[Callable[[], None]] = deque()
        self._event = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        for number in range(size):
            threading.Thread(target=self._run, name=f"files-{number}", daemon=True).start()

    def fileno(self) -> int:
        """A descriptor that is readable when something is done."""
        return self._event

    def submit(self, call: Callable[[], Callable[[], None]]) -> None:
        """Runs `call` in a thread; what it returns is called by `collect`, in the owner's thread.

        An error that escapes from `call` is raised by `collect`.
        """
        self._calls.put(call)

    def collect(self) -> None:
        """Calls the continuations of all finished calls."""
        try:
            os.eventfd_read(self._event)
        except BlockingIOError:
            return
        while self._done:
            self._done.popleft()()

    def _run(self) -> None:
        while True:
            call = self._calls.get()
            try:
                continuation = call()
            except BaseException as error:  # noqa: BLE001 - raised again where it is collected
                continuation = partial(_raise, error)
            self._done.append(continuation)
            os.eventfd_write(self._event, 1)


def _raise(error: BaseException) -> None:
    raise error
