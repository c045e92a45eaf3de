"""Our board: put up whole, for everybody to read, in a folder that everybody may write into.

Invariant: nothing of another user is followed, overwritten or removed; if our board cannot be put
up, the reason is returned, and jobs run on.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from mlq_worker.guest.boards.board import Board, BoardName, Process, render
from mlq_worker.ipc import procfs

AGAIN_S = 10.0
"""A board is written anew so often, so that it can be seen that its owner lives."""
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def own_process() -> Process:
    """Return this process, as its board names it."""
    seen = procfs.look_at(os.getpid())
    return Process(os.getpid(), 0 if seen is None else seen.start)


class OwnBoard:
    """Our board, in a folder that everybody may write into.

    Args:
        folder: where the users of the machine meet.
        name: our board's.
        words: whose guest we are, for people.
    """

    def __init__(self, folder: Path, name: BoardName, words: str) -> None:
        self._folder, self._name = os.fspath(folder), str(name)
        self._words = words
        self._shown: Board | None = None
        self._inode = (0, 0)
        self._at = float("-inf")

    def show(self, board: Board, at: float) -> str:
        """Put up the board, unless it hangs there already; return why that failed, "" if not.

        A board that somebody took down, as programs that clean /tmp do, is put up again.

        Args:
            board: what it says.
            at: a clock that never goes back, in seconds.
        """
        if board == self._shown and at < self._at + AGAIN_S and self._hangs():
            return ""
        try:
            self._inode = self._write(render(board, self._words))
        except OSError as error:
            self._shown = None
            return self._why(error)
        self._shown, self._at = board, at
        return ""

    def take_down(self) -> None:
        """Remove it, whichever process of ours put it up."""
        self._shown = None
        path = f"{self._folder}/{self._name}"
        with suppress(OSError):
            if os.lstat(path).st_uid == os.geteuid():
                os.unlink(path)  # noqa: PTH108 - like all here

    def _hangs(self) -> bool:
        try:
            found = os.lstat(f"{self._folder}/{self._name}")
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self._inode

    def _write(self, text: bytes) -> tuple[int, int]:
        """Write a file and give it the name, whole; the sticky bit keeps others from that."""
        temporary = f"{self._folder}/.{self._name}.{os.urandom(6).hex()}"
        descriptor = os.open(temporary, _WRITE, 0o600)
        try:
            try:
                left = memoryview(text)
                while left:
                    left = left[os.write(descriptor, left) :]
                os.fchmod(descriptor, 0o644)  # whatever the umask is
                made = os.fstat(descriptor)
            finally:
                os.close(descriptor)
            os.rename(temporary, f"{self._folder}/{self._name}")  # noqa: PTH104
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)  # noqa: PTH108
            raise
        return made.st_dev, made.st_ino

    def _why(self, error: OSError) -> str:
        path = f"{self._folder}/{self._name}"
        if error.errno in (errno.EPERM, errno.EACCES, errno.EISDIR, errno.ENOTEMPTY):
            with suppress(OSError):
                owner = os.lstat(path).st_uid
                if owner != os.geteuid():
                    return f"{path} is in the way: it belongs to user {owner}"
                return f"{path} is in the way"
        return f"{path} cannot be written: {error.strerror or error}"
