"""Reads files below the results root: the only way to read any file that others may write.

Jobs run as the same user as mlq, so any path below the root may be anything: a FIFO, a folder, a
link to /dev/zero, 3 GB, a million brackets. None of these may hang, crash or bloat the reader. So a
file is opened without following links and without waiting, it must be a regular file of our own,
and no more of it is read than its kind can hold. Each folder below the root is opened from the one
above it, so that none of them leads elsewhere; the root itself may be a link.

Every reading has one of four outcomes; what happens to jobs depends on which:

* `Content`: here it is.
* `Absent`: it is not there.
* `Unreadable`: nothing is known, because the storage failed or hangs. It is no evidence of
  anything; ask again later.
* `Refused`: what is there is no such file, and no later look will make it one.

Names are looked for in their folder's listing first: see `mlq.files.layout`.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

KIB, MIB = 1 << 10, 1 << 20
# The most bytes a file of each kind can have.
QUEUE_FILE_BYTES = 64 * KIB
BEAT_BYTES = 16 * MIB  # a beat names each attempt that the machine holds
RESULT_BYTES = 64 * KIB
RETURN_BYTES = 16 * MIB  # it goes into the queue
JOB_BYTES = 64 * MIB

_TRIES = 4
_LISTED_MOST = 100_000
_PIECE_BYTES = MIB
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PASSED = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class Content(NamedTuple):
    """A file that was read."""

    data: bytes


class Absent(NamedTuple):
    """There is no such file, or its folder does not exist."""


class Unreadable(NamedTuple):
    """The storage failed, so nothing is known of the file; `why` is for people."""

    why: str


class Refused(NamedTuple):
    """The path holds something that is not such a file; `why` follows "it" (`is a named pipe`)."""

    why: str


Missing = Absent | Unreadable | Refused
Found = Content | Missing


def read_file(
    root: Path | str,
    path: Path | str,
    most_bytes: int,
    *,
    tail: bool = False,
    any_owner: bool = False,
) -> Found:
    """Read a file below the root.

    Args:
        root: the results root; it may be a link.
        path: the file, below the root.
        most_bytes: a file with more is refused, unless:
        tail: only the last `most_bytes` are wanted.
        any_owner: whether it may belong to another user, because no decision depends on its
            content.
    """
    for last_try in (False,) * (_TRIES - 1) + (True,):
        opened = open_file(root, path, any_owner=any_owner)
        if not isinstance(opened, int):
            return opened
        try:
            return _content(opened, most_bytes, tail=tail)
        except OSError as error:
            # It was replaced while it was read: the next try finds its successor.
            if last_try or error.errno != errno.ESTALE:
                return Unreadable(_words(error))
        finally:
            os.close(opened)
    return Absent()


def open_file(root: Path | str, path: Path | str, *, any_owner: bool = False) -> int | Missing:
    """Open a file below the root for reading; the caller closes the descriptor.

    A file that is replaced meanwhile shows as ESTALE, or ENOENT between listing and opening; it is
    then looked for again.

    Args:
        root: the results root; it may be a link.
        path: the file, below the root.
        any_owner: it may belong to another user.
    """
    *folders, name = os.path.relpath(path, root).split("/")
    if name in ("", ".", "..") or ".." in folders:
        return Refused("is not below the results root")
    for last_try in (False,) * (_TRIES - 1) + (True,):
        try:
            return _opened(root, folders, name, any_owner=any_owner)
        except FileNotFoundError:
            if last_try:
                return Absent()
        except _Ended as ended:
            return ended.outcome
        except OSError as error:
            if last_try or error.errno != errno.ESTALE:
                return Unreadable(_words(error))
    return Absent()


class _Ended(Exception):  # noqa: N818 - an answer, not an error
    def __init__(self, outcome: Missing) -> None:
        self.outcome = outcome


def _opened(root: Path | str, folders: list[str], name: str, *, any_owner: bool) -> int:
    """Open step by step; raise FileNotFoundError only if the file may be there at the next try."""
    # The last folder is listed, and so is opened for reading.
    flags = [_PASSED] * (len(folders) - 1) + [_FOLDER] if folders else []
    try:
        # No NOFOLLOW: the root itself may be a link.
        at = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise _Ended(Absent()) from None
    try:
        for folder, flag in zip(folders, flags, strict=True):
            try:
                below = _open_at(root, at, folder, flag)
            except FileNotFoundError:
                raise _Ended(Absent()) from None
            os.close(at)
            at = below
        if not _is_listed(name, at):
            raise _Ended(Absent())
        file = _open_at(root, at, name, _FILE)
    finally:
        os.close(at)
    try:
        _check(root, os.fstat(file), any_owner=any_owner)
    except BaseException:
        os.close(file)
        raise
    return file


def _open_at(root: Path | str, folder: int, name: str, flags: int) -> int:
    try:
        return os.open(name, flags, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.ENXIO, errno.EISDIR):
            raise _Ended(Refused(_kind(folder, name))) from None
        if error.errno in (errno.EACCES, errno.EPERM):
            raise _Ended(_denied(root, folder, name, error)) from None
        raise


def _kind(folder: int, name: str) -> str:
    """Describe an entry that is neither a file nor a folder."""
    with suppress(OSError):
        kind = stat.S_IFMT(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
        return f"is {_KINDS.get(kind, 'a file where a folder should be')}"
    return "is no file"


def _denied(root: Path | str, folder: int, name: str, error: OSError) -> Missing:
    """Distinguish a file whose mode forbids reading from a storage that refuses for now."""
    found = os.fstat(folder)  # either the folder or the entry may forbid it
    with suppress(OSError):
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if found.st_uid != os.geteuid():
        return _strangers(root, found)
    needed = stat.S_IRUSR | (stat.S_IXUSR if stat.S_ISDIR(found.st_mode) else 0)
    if found.st_mode & needed != needed:
        return Refused(f"is closed to its own user (mode {stat.S_IMODE(found.st_mode):04o})")
    return Unreadable(_words(error))


def _strangers(root: Path | str, found: os.stat_result) -> Refused | Unreadable:
    """Distinguish a stranger's file from a storage that takes us for another user, even as root."""
    with suppress(OSError):
        if os.stat(root).st_uid == os.geteuid():  # noqa: PTH116 - like all around it
            return Refused(f"belongs to user {found.st_uid}")
    return Unreadable(f"it belongs to user {found.st_uid}, as does the results root")


def _is_listed(name: str, folder: int) -> bool:
    # If a folder is too full to be listed whole, the name is simply tried.
    with os.scandir(folder) as entries:
        return any(
            entry.name == name or number > _LISTED_MOST for number, entry in enumerate(entries)
        )


def _check(root: Path | str, found: os.stat_result, *, any_owner: bool) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise _Ended(Refused(f"is {_KINDS.get(stat.S_IFMT(found.st_mode), 'no file')}"))
    if not any_owner and found.st_uid != os.geteuid():
        raise _Ended(_strangers(root, found))


def _content(file: int, most_bytes: int, *, tail: bool) -> Content | Refused:
    size = os.fstat(file).st_size
    if tail:
        os.lseek(file, max(0, size - most_bytes), os.SEEK_SET)
    elif size > most_bytes:
        return _too_large(most_bytes)
    pieces, length = [], 0
    while piece := os.read(file, min(_PIECE_BYTES, most_bytes + 1 - length)):
        pieces.append(piece)
        length += len(piece)
        if length > most_bytes:
            if tail:
                break
            return _too_large(most_bytes)
    return Content(b"".join(pieces)[:most_bytes])


def _too_large(most_bytes: int) -> Refused:
    return Refused(f"is larger than {most_bytes} bytes")


def _words(error: OSError) -> str:
    return error.strerror or str(error)
