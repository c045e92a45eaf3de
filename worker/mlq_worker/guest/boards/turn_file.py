"""Whose turn it is on a machine: one mlq at a time looks, plans and says what it will hold.

Otherwise two of them could see the same free memory and both promise it. A lock on a file in a
folder that everybody may write into decides; everybody may also hold it for ever, or put something
else in its place. Invariant: nobody waits longer than `PATIENCE_S` for it; then it goes on without,
and says so. Nothing is done under the lock that can block.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from contextlib import suppress
from enum import Enum
from pathlib import Path

NAME = "mlq.turn"
PATIENCE_S = 2.0
AGAIN_S = 0.01
"""Between two tries to get it."""
_MODE = 0o444
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_MAKE = _OPEN | os.O_CREAT | os.O_EXCL


class Turn(Enum):
    """How it stands.

    OURS: we hold the lock. AWAITED: another holds it; try again. WITHOUT: it cannot be had.
    """

    OURS = "ours"
    AWAITED = "awaited"
    WITHOUT = "without"


class TurnFile:
    """The lock.

    Args:
        folder: where the users of the machine meet.
    """

    def __init__(self, folder: Path) -> None:
        self._path = f"{folder}/{NAME}"
        self._descriptor: int | None = None
        self._since: float | None = None
        self._tried_at = 0.0
        self.fault = ""
        """Why it cannot be had, for people; "" if it can."""

    def take(self, at: float) -> Turn:
        """Try to get the lock, without waiting; it is ours until `give_up`.

        After `PATIENCE_S` without success each call goes on without at once, until one succeeds.

        Args:
            at: a clock that never goes back, in seconds.
        """
        why = "another program holds it"
        try:
            if self._descriptor is not None or self._lock():
                self._since, self.fault = None, ""
                return Turn.OURS
        except OSError as error:
            why = self._words(error)
        if self._since is None or at - self._tried_at > PATIENCE_S:
            self._since = at  # it has not been waiting all the time
        self._tried_at = at
        if at - self._since < PATIENCE_S:
            return Turn.AWAITED
        self.fault = f"{self._path}: {why}; jobs start without regard to whose turn it is"
        return Turn.WITHOUT

    def give_up(self) -> None:
        """Let others have it."""
        if self._descriptor is not None:
            # A child that was forked meanwhile has the descriptor, too: closing alone would not do.
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            os.close(self._descriptor)
            self._descriptor = None

    def _lock(self) -> bool:
        descriptor = self._open()
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            found = os.fstat(descriptor)
            now = os.lstat(self._path)
            if (found.st_dev, found.st_ino) == (now.st_dev, now.st_ino):
                self._descriptor, descriptor = descriptor, -1
                return True
        except (BlockingIOError, FileNotFoundError):
            pass  # held; or removed since it was opened, so that others lock another file
        finally:
            if descriptor >= 0:
                os.close(descriptor)
        return False

    def _open(self) -> int:
        """Open the file; make it if it is missing, never at the end of a link."""
        try:
            descriptor = os.open(self._path, _OPEN)
        except FileNotFoundError:
            return self._make()
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EEXIST, "it is no file")
        return descriptor

    def _make(self) -> int:
        descriptor = os.open(self._path, _MAKE, _MODE)
        with suppress(OSError):
            os.fchmod(descriptor, _MODE)  # whatever the umask is: others must be able to open it
        return descriptor

    def _words(self, error: OSError) -> str:
        with suppress(OSError):
            found = os.lstat(self._path)
            if not stat.S_ISREG(found.st_mode):
                return f"it is no file (user {found.st_uid} made it)"
            if error.errno in (errno.EACCES, errno.EPERM):
                mode = stat.S_IMODE(found.st_mode)
                return f"it cannot be opened (user {found.st_uid} made it, mode {mode:04o})"
        return error.strerror or str(error)
