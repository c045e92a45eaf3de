"""One worker a machine: a lock that the kernel lets go of when its holder dies.

`worker.lock` in the machine's runtime folder decides (flock); `worker.pid` only says who. Signals
go through a pidfd that was opened while the lock was held, so they never reach a stranger who was
given the same number.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from mlq.errors import WorkerError
from mlq.locks import is_locked

_PATIENCE_S = 1.0
_RETRY_S = 0.02


@contextlib.contextmanager
def held(folder: Path, machine: str) -> Iterator[None]:
    """Be the one worker of a machine while the context lasts.

    Args:
        folder: the machine's runtime folder.
        machine: its name, for the message.

    Raises:
        WorkerError: another process is.
    """
    pid_file = folder / "worker.pid"
    lock = os.open(folder / "worker.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not _lock_soon(lock):
            raise WorkerError(
                f"a worker for {machine} already runs here",
                fix="`mlq worker status` shows it; `mlq worker stop` ends it and leaves its jobs",
            )
        pid_file.write_text(f"{os.getpid()}\n")
        try:
            yield
        finally:
            pid_file.unlink(missing_ok=True)
    finally:
        os.close(lock)


def _lock_soon(lock: int) -> bool:
    # `holder` below looks by taking the lock for an instant: that must not keep a worker out.
    until = time.monotonic() + _PATIENCE_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                return False
            time.sleep(_RETRY_S)
        else:
            return True


class Holder:
    """The process that is the worker; close it after use."""

    def __init__(self, pid: int, pidfd: int) -> None:
        self.pid, self.pidfd = pid, pidfd

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; to a process that has ended meanwhile it does nothing."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, number)

    def wait(self, timeout_s: float) -> bool:
        """Wait until it has ended; tell whether it has."""
        poll = select.poll()
        poll.register(self.pidfd, select.POLLIN)
        return bool(poll.poll(timeout_s * 1000))

    def close(self) -> None:
        """Let go of the process."""
        os.close(self.pidfd)


@contextlib.contextmanager
def holder(folder: Path) -> Iterator[Holder | None]:
    """Find the worker of a machine.

    Args:
        folder: the machine's runtime folder.

    Yields:
        The process that is its worker, or None.
    """
    found = _find(folder)
    try:
        yield found
    finally:
        if found is not None:
            found.close()


def _find(folder: Path) -> Holder | None:
    lock, pid_file = folder / "worker.lock", folder / "worker.pid"
    until = time.monotonic() + _PATIENCE_S
    while is_locked(lock):
        found = _open(pid_file)
        if found is not None:
            if is_locked(lock) and _read_pid(pid_file) == found.pid:
                return found
            found.close()
        # It has the lock and is about to write its number, or is on its way out.
        if time.monotonic() > until:
            break
        time.sleep(_RETRY_S)
    return None


def _open(pid_file: Path) -> Holder | None:
    pid = _read_pid(pid_file)
    if pid is None:
        return None
    try:
        return Holder(pid, os.pidfd_open(pid))
    except ProcessLookupError:
        return None


def _read_pid(pid_file: Path) -> int | None:
    try:
        return int(pid_file.read_text())
    except (FileNotFoundError, ValueError):
        return None
