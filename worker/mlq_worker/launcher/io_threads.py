"""A few threads for work that may hang in NFS, and a way to wait for what they have done.

Not concurrent.futures: the interpreter joins its threads at exit, so one that hangs in NFS would
keep the process from ending. Here an abandoned thread is left behind.

On a quick disk one thread does everything, and wakes the owner once for all that it did: handing
over costs more than the work. Further threads help when a call has waited longer than `_HELP_S`.
"""

from __future__ import annotations

import os
import queue
import threading
from collections import deque
from collections.abc import Callable
from functools import partial

Call = Callable[[], Callable[[], None]]

_HELP_S = 0.004
_SILENCE_S = 0.002  # the longest that a finished call waits for the next one to finish too


class Pool:
    """Runs calls in threads; the thread that owns the pool collects their results.

    Args:
        size: how many calls run at once.
        clock: boot time.
    """

    def __init__(self, size: int, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._calls: deque[tuple[float, Call]] = deque()
        self._done: deque[Callable[[], None]] = deque()
        self._alarms: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._count = threading.Lock()
        self._awake = 0
        self._size = size
        self._event = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        for number in range(size):
            threading.Thread(target=self._run, name=f"files-{number}", daemon=True).start()

    def fileno(self) -> int:
        """Return a descriptor that is readable when something is done."""
        return self._event

    def submit(self, call: Call) -> None:
        """Run `call` in a thread; what it returns is called by `collect`, in the owner's thread.

        An error that escapes from `call` is raised by `collect`.
        """
        self._calls.append((self._clock(), call))

    def tick(self, now: float) -> float:
        """Wake a thread if one is needed; return when (boot time) to look again."""
        if not self._calls:
            return float("inf")
        waits_since = self._oldest()
        if self._awake == 0 or (now - waits_since > _HELP_S and self._awake < self._size):
            with self._count:
                self._awake += 1
            self._alarms.put(None)
        return now + _HELP_S if self._awake < self._size else float("inf")

    def collect(self) -> None:
        """Call the continuations of all finished calls."""
        try:
            os.eventfd_read(self._event)
        except BlockingIOError:
            return
        while self._done:
            self._done.popleft()()

    def _oldest(self) -> float:
        try:
            return self._calls[0][0]
        except IndexError:  # a thread took it just now
            return float("inf")

    def _run(self) -> None:
        while True:
            self._alarms.get()
            self._work()
            with self._count:
                self._awake -= 1

    def _work(self) -> None:
        """Run calls until there are none."""
        told_at = self._clock()
        while True:
            try:
                _, call = self._calls.popleft()
            except IndexError:
                break
            try:
                continuation = call()
            except BaseException as error:  # noqa: BLE001 - raised again where it is collected
                continuation = partial(_raise, error)
            self._done.append(continuation)
            now = self._clock()
            if now - told_at > _SILENCE_S:
                told_at = now
                os.eventfd_write(self._event, 1)
        os.eventfd_write(self._event, 1)


def _raise(error: BaseException) -> None:
    raise error
