"""Lock files: the kernel releases the lock when its holder dies (flock(2))."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

_RETRY_S = 0.02


def is_locked(lock_file: Path) -> bool:
    """Return whether some process holds a lock file; raise OSError if it cannot be looked at."""
    try:
        descriptor = os.open(lock_file, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        # Shared, so that two simultaneous checks do not take each other for the holder.
        return not try_lock(descriptor, shared=True)
    finally:
        os.close(descriptor)


def is_at(path: Path, descriptor: int) -> bool:
    """Return whether a path still leads to what a descriptor has open."""
    try:
        there = path.lstat()
    except OSError:
        return False
    ours = os.fstat(descriptor)
    return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)


def identity_of(path: Path) -> tuple[int, int] | None:
    """Return a value that differs for any other file put in its place; None if there is no file."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def try_lock(descriptor: int, *, shared: bool = False) -> bool:
    """Lock an open file without waiting; return whether that succeeded."""
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def lock(descriptor: int, *, shared: bool = False) -> None:
    """Lock an open file, waiting for other holders."""
    fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)


def unlock(descriptor: int) -> None:
    """Release the lock, and keep the descriptor open."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)


class PathLock:
    """A lock file that its holder can take again after it was deleted.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def take(self, patience_s: float) -> bool:
        """Lock it; return whether it is ours.

        Args:
            patience_s: how long to try, since `is_locked` itself takes the lock for an instant.

        Raises:
            OSError: the file cannot be made.
        """
        until_s = time.monotonic() + patience_s
        while True:
            descriptor = self._opened()
            if try_lock(descriptor):
                self.close()
                self._descriptor = descriptor
                return True
            os.close(descriptor)
            if time.monotonic() >= until_s:
                return False
            time.sleep(_RETRY_S)

    def is_in_place(self) -> bool:
        """Return whether the lock that we hold is that of the file at the path."""
        return self._descriptor is not None and is_at(self.path, self._descriptor)

    def retake(self) -> bool:
        """Lock the file that is at the path now; keep the old lock until that succeeds."""
        return self.take(0)

    def close(self) -> None:
        """Release the lock."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _opened(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        return os.open(self.path, flags, 0o600)
