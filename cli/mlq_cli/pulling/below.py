"""Opens what is below the pulled folder, each folder from the one above it, through no link.

Invariant: what is opened here lies in the folder, and every folder on the way belongs to us; so
nothing that a job or another user has put there leads a write elsewhere.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress

from mlq.errors import MlqError, UnsafePathError
from mlq_cli.pulling.planning import Local

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a link",
    stat.S_IFIFO: "a named pipe",
}


class NotPlacedError(MlqError):
    """One file cannot be put in place; others may."""


class Below:
    """The folders below one; the last that was used stays open.

    Args:
        top: the folder's descriptor, which the caller closes.
    """

    def __init__(self, top: int) -> None:
        self._top = top
        self._last: tuple[str, int] | None = None

    def close(self) -> None:
        """Close what is open."""
        if self._last is not None:
            os.close(self._last[1])
        self._last = None

    def folder(self, path: str, *, create: bool = False) -> int | None:
        """Return a folder, open until another one is asked for; None if it is not there.

        Raises:
            NotPlacedError: something else is in the place of one of its parts.
            UnsafePathError: one of them belongs to another user.
            OSError: it cannot be opened, or made.
        """
        if not path:
            return self._top
        if self._last is not None and self._last[0] == path:
            return self._last[1]
        self.close()
        at: int | None = os.dup(self._top)
        for name in path.split("/"):
            if at is None:
                return None
            try:
                below = made(at, name) if create else _opened(at, name)
            finally:
                os.close(at)
            at = below
        if at is not None:
            self._last = path, at
        return at

    def look(self, path: str) -> Local | None:
        """Return what is at a path; None if nothing is."""
        folder, _, name = path.rpartition("/")
        try:
            at = self.folder(folder)
            return None if at is None else local_in(at, name)
        except MlqError as error:
            return Local(f"in {error.what}")
        except OSError as error:
            return Local(f"out of reach: {error.strerror or error}")


def local_in(at: int, name: str) -> Local | None:
    """Return what is in a folder under a name; None if nothing is."""
    try:
        found = os.stat(name, dir_fd=at, follow_symlinks=False)
    except FileNotFoundError:
        return None
    kind = _KINDS.get(stat.S_IFMT(found.st_mode), "no file")
    return Local(kind, found.st_size, found.st_mtime_ns)


def made(at: int, name: str) -> int:
    """Make a folder unless it is there, and open it; the caller closes it. Raises as `folder`."""
    with suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=at)
    opened = _opened(at, name)
    if opened is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
    return opened


def _opened(at: int, name: str) -> int | None:
    try:
        opened = os.open(name, _FOLDER, dir_fd=at)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in (errno.ENOTDIR, errno.ELOOP):
            raise NotPlacedError(f"{name}, which is no folder") from None
        raise
    if os.fstat(opened).st_uid != os.geteuid():
        os.close(opened)
        raise UnsafePathError(f"{name}, which belongs to another user")
    return opened
