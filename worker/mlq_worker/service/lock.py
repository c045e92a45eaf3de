"""Allows one worker a machine: by a name and a lock that the kernel frees when their holder dies.

`worker.lock` in the machine's runtime folder (flock) and the kernel's name for that folder decide
together, so that a deleted lock file lets no second worker in (`mlq.files.residence`). The name
gives the worker's pid; where it cannot, `worker.pid` does. Signals go through a pidfd that was
opened while the process was seen to be the worker, so they never reach another with the same pid.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from mlq.errors import WorkerError
from mlq.files.kernel_names import kernel_name, owner
from mlq.files.locks import is_locked
from mlq.files.residence import Caretaker, Residence

_PATIENCE_S = 1.0
_RETRY_S = 0.02
_YOUNG = ("worker.log", "worker.status", "supervisor.log", "tunnel")


def _name(folder: Path) -> str:
    return kernel_name("worker", str(folder.absolute()))


@contextlib.contextmanager
def held(folder: Path, machine: str, *tasks: Callable[[float], None]) -> Iterator[None]:
    """Be the one worker of a machine while the context lasts.

    Args:
        folder: the machine's runtime folder.
        machine: its name, for the message.
        tasks: what else of the folder is to be looked after each second (`Caretaker`).

    Raises:
        WorkerError: another process is the worker.
    """
    residence = Residence(folder, "worker", _name(folder), young=_YOUNG)
    if not residence.take(_PATIENCE_S):
        raise WorkerError(
            f"a worker for {machine} already runs here",
            fix="`mlq worker status` shows it; `mlq worker stop` ends it and leaves its jobs",
        )
    residence.settle()
    caretaker = Caretaker([residence.renew, *tasks], time.monotonic)
    caretaker.start()
    try:
        yield
    finally:
        caretaker.stop()
        residence.leave()


class Holder:
    """The process that is the worker; close it after use."""

    def __init__(self, pid: int, pidfd: int) -> None:
        self.pid, self.pidfd = pid, pidfd

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; to a process that has ended meanwhile it does nothing."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, number)

    def wait(self, timeout_s: float) -> bool:
        """Wait until it has ended, or for `timeout_s`; return whether it has."""
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
    while True:
        named = owner(_name(folder))
        if named is None and not is_locked(lock):
            return None
        # A worker of an older version has no name, and that of a container no number.
        pid = named.pid if named and named.pid else _read_pid(pid_file)
        found = _open(pid)
        if found is not None:
            if owner(_name(folder)) == named and (
                named is not None or (is_locked(lock) and _read_pid(pid_file) == found.pid)
            ):
                return found
            found.close()
        # It has the lock and is about to write its number, or is on its way out.
        if time.monotonic() > until:
            return None
        time.sleep(_RETRY_S)


def _open(pid: int | None) -> Holder | None:
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
