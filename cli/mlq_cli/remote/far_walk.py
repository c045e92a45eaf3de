"""Finds the files of a job that are worth having elsewhere, through no link and bounded.

It runs wherever `far_tree` runs. What counts: `output/`, `checkpoint/`, the logs and results of the
attempts, and what the job made in its copies of code. A copy's file that is still as it was
unpacked does not count (`mlq_cli.remote.far_copies`).
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

from mlq.files.strict_files import Absent, Missing, Refused, Unreadable
from mlq_cli.remote.far_copies import Copy, copy_of, is_of_pack, is_own_link

MOST_FILES, MOST_FOLDERS_DEEP = 1_000_000, 64
OF_AN_ATTEMPT = (
    "output.log",
    "output.log.before",
    "result.json",
    "return.json",
    "metrics.jsonl",
    "usage.jsonl",
)
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NUMBER = re.compile(r"[1-9]\d{0,8}", re.ASCII)
_KINDS = {
    stat.S_IFLNK: "is a link",
    stat.S_IFIFO: "is a named pipe",
    stat.S_IFSOCK: "is a socket",
    stat.S_IFCHR: "is a device",
    stat.S_IFBLK: "is a device",
    stat.S_IFDIR: "is a folder",
}


class Listed(NamedTuple):
    """A file: its path relative to the job's folder, and what its folder says of it."""

    path: str
    size: int
    mtime_ns: int
    is_program: bool


class Other(NamedTuple):
    """What cannot be sent; `why` follows the path."""

    path: str
    why: str


class Folders:
    """Opens files below the root, each folder from the one above it; the last folder stays open."""

    def __init__(self, root: str) -> None:
        self._root = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._last: tuple[str, int] | None = None

    def __enter__(self) -> Folders:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close what is open."""
        self._forget()
        os.close(self._root)

    def open_file(self, path: str) -> int | Missing:
        """Open a regular file, relative to the root; the caller closes the descriptor."""
        folder, _, name = path.rpartition("/")
        for last_try in (False, True):
            try:
                return self._opened(folder, name)
            except OSError as error:
                self._forget()
                if error.errno != errno.ESTALE or last_try:
                    return _missing(error)
        return Absent()

    def open_folder(self, path: str) -> int:
        """Open a folder, relative to the root; the caller closes the descriptor."""
        at = os.dup(self._root)
        for name in path.split("/"):
            try:
                below = _folder_in(at, name)
            finally:
                os.close(at)
            at = below
        return at

    def _opened(self, folder: str, name: str) -> int | Missing:
        if self._last is None or self._last[0] != folder:
            self._forget()
            self._last = folder, self.open_folder(folder)
        opened = os.open(name, _FILE, dir_fd=self._last[1])
        kind = stat.S_IFMT(os.fstat(opened).st_mode)
        if kind == stat.S_IFREG:
            return opened
        os.close(opened)
        return Refused(_KINDS.get(kind, "is no file"))

    def _forget(self) -> None:
        if self._last is not None:
            os.close(self._last[1])
            self._last = None


def files_of(root: str, place: str, known: dict[str, Any]) -> Iterator[Listed | Other]:
    """Yield the files of a job, and what else lies between them.

    Args:
        root: the results root.
        place: the job's folder, relative to the root.
        known: keeps the manifests of packs, for the next job has the same.
    """
    for number, one in enumerate(_all_files(root, place, known)):
        if number == MOST_FILES:
            yield Other("", f"has more than {MOST_FILES:,} files; the rest is left out")
            return
        yield one


def _all_files(root: str, place: str, known: dict[str, Any]) -> Iterator[Listed | Other]:
    with Folders(root) as folders:
        try:
            top = folders.open_folder(place)
        except OSError as error:
            if error.errno != errno.ENOENT:
                yield Other("", _words(error))
            return
    try:
        for name in _names(top):
            if name in ("output", "checkpoint", "work"):
                copy = copy_of(root, place, name, known) if name == "work" else Copy()
                yield from _entry(top, name, name, copy, len(name) + 1)
            elif name == "code":
                for number in _numbers_in(top, name):
                    path = f"code/{number}"
                    yield from _walk(top, path, path, copy_of(root, place, path, known))
            elif name == "attempts":
                for number in _numbers_in(top, name):
                    yield from _attempt(top, f"attempts/{number}")
    except OSError as error:
        yield Other("", _words(error))
    finally:
        os.close(top)


def _attempt(top: int, path: str) -> Iterator[Listed | Other]:
    try:
        folder = _below(top, path)
    except OSError as error:
        yield Other(path, _words(error))
        return
    try:
        for name in _names(folder):
            if name in OF_AN_ATTEMPT:
                yield from _entry(folder, name, f"{path}/{name}", Copy(), 0)
    finally:
        os.close(folder)


def _walk(
    above: int, name: str, path: str, copy: Copy, inside: int = 0
) -> Iterator[Listed | Other]:
    """Yield what is in a folder.

    Args:
        above: the folder that `name` is in, or, for the first one, below which it is.
        name: of the folder.
        path: of the folder, relative to the job's.
        copy: what was unpacked into the topmost folder.
        inside: how many characters of a path are before the path in the copy; 0: this is the top.
    """
    inside = inside or len(path) + 1
    try:
        folder = _below(above, name)
    except OSError as error:
        if error.errno != errno.ENOENT:
            yield Other(path, _words(error))
        return
    try:
        for one in _names(folder):
            yield from _entry(folder, one, f"{path}/{one}", copy, inside)
    except OSError as error:
        yield Other(path, _words(error))
    finally:
        os.close(folder)


def _entry(folder: int, name: str, path: str, copy: Copy, inside: int) -> Iterator[Listed | Other]:
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        kind = stat.S_IFMT(found.st_mode)
        if kind == stat.S_IFDIR and inside:
            if path.count("/") > MOST_FOLDERS_DEEP:
                yield Other(path, f"is more than {MOST_FOLDERS_DEEP} folders deep")
            else:
                yield from _walk(folder, name, path, copy, inside)
        elif kind == stat.S_IFREG:
            if not is_of_pack(folder, name, path[inside:], copy):
                is_program = bool(found.st_mode & stat.S_IXUSR)
                yield Listed(path, found.st_size, found.st_mtime_ns, is_program)
        elif kind != stat.S_IFLNK or not is_own_link(folder, name, path[inside:], copy):
            yield Other(path, _KINDS.get(kind, "is no file"))
    except FileNotFoundError:
        return  # it vanished meanwhile
    except OSError as error:
        yield Other(path, _words(error))


def _below(at: int, path: str) -> int:
    at = os.dup(at)
    for name in path.split("/"):
        try:
            below = os.open(name, _FOLDER, dir_fd=at)
        finally:
            os.close(at)
        at = below
    return at


def _folder_in(at: int, name: str) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=at)
    except FileNotFoundError:
        # An NFS client may remember for a minute that it was not there; a listing tells it anew.
        if name not in os.listdir(at):
            raise
        return os.open(name, _FOLDER, dir_fd=at)


def _names(folder: int) -> list[str]:
    with os.scandir(folder) as entries:  # a job may fill a folder without end
        return sorted(entry.name for entry in islice(entries, MOST_FILES + 1))


def _numbers_in(top: int, name: str) -> list[str]:
    try:
        folder = _below(top, name)
    except OSError:
        return []
    try:
        return sorted(filter(_NUMBER.fullmatch, _names(folder)), key=int)
    finally:
        os.close(folder)


def _missing(error: OSError) -> Missing:
    if error.errno == errno.ENOENT:
        return Absent()
    if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.ENXIO, errno.EACCES, errno.EPERM):
        return Refused(_words(error))
    return Unreadable(_words(error))


def _words(error: OSError) -> str:
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return "is no longer what it was"
    return f"cannot be read: {error.strerror or error}"
