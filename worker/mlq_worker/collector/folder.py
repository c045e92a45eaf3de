"""The folder of one attempt, opened so that nothing a job puts in its way leads elsewhere.

A job may replace any folder or file of its own by a link, a pipe or a device. So each folder is
opened from the one above it, no link is followed and no pipe is waited for; and what is opened for
writing must be a regular file of our own.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mlq.files.layout import write_atomically
from mlq.files.strict_files import Found, read_file

_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class NoSuchFileError(OSError):
    """What is in the place of a file of ours is no such file; `strerror` says so."""


class AttemptFolder:
    """An attempt's folder.

    Args:
        path: a path to the opened folder.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def read(self, name: str, most_bytes: int, *, tail: bool = False) -> Found:
        """Read a file; see `mlq.files.strict_files.read_file`."""
        return read_file(self._path, f"{self._path}/{name}", most_bytes, tail=tail)

    def size(self, name: str) -> int | None:
        """Return the size of a file; None if there is none."""
        try:
            found = Path(self._path, name).lstat()
        except OSError:
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def replace(self, name: str, data: bytes, *, flush: bool) -> None:
        """Put a file in place whole.

        Raises:
            OSError: it could not be written.
        """
        write_atomically(f"{self._path}/{name}", data, flush=flush)

    def append(self, name: str, size: int, data: bytes) -> int:
        """Write data at the place `size` of a file, which has that size from then on, and more.

        What lies there already was written by a collector that died before it could note so.

        Returns:
            The new size in bytes.

        Raises:
            OSError: it could not be written; the file may be longer than `size`.
        """
        file = os.open(f"{self._path}/{name}", _FILE, 0o600)
        try:
            found = os.fstat(file)
            if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
                raise NoSuchFileError(0, f"{name} is no file of ours")
            if found.st_size != size:
                size = min(size, found.st_size)  # what is gone stays gone
                os.ftruncate(file, size)
            left, at = memoryview(data), size
            while left:
                written = os.pwrite(file, left, at)
                left, at = left[written:], at + written
            return at
        finally:
            os.close(file)


@contextmanager
def attempt_folder(root: str, below: str) -> Iterator[AttemptFolder]:
    """Open the folder of an attempt.

    Args:
        root: the results root, opened (`mlq.files.root.pinned`).
        below: the folder, relative to that.

    Raises:
        OSError: it is not there, or a link or something else is in its place.
    """
    at = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in below.split("/"):
            next_at = os.open(name, _FOLDER, dir_fd=at)
            os.close(at)
            at = next_at
        yield AttemptFolder(f"/proc/self/fd/{at}")
    finally:
        with suppress(OSError):
            os.close(at)
