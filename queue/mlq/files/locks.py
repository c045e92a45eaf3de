"""Lock files: the kernel lets go of the lock when its holder dies (flock(2))."""

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
        # Shared, so that two who look at once do not take each other for the holder.
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
    """Return what tells a file from any other that is put in its place; None if there is none."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def try_lock(descriptor: int, *, shared: bool = False) -> bool:
    """Lock what a descriptor has open; return whether that was possible at once."""
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def lock(descriptor: int, *, shared: bool = False) -> None:
    """Wait until what a descriptor has open is locked."""
    fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)


def unlock(descriptor: int) -> None:
    """Let go of the lock, and keep the descriptor open."""
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
            patience_s: how long to try; `is_locked` looks by taking the lock for an instant.

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
        """Lock the file that is at the path now; until that is done, hold on to the old one."""
        return self.take(0)

    def close(self) -> None:
        """Let go."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _opened(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        return os.open(self.path, flags, 0o600)
