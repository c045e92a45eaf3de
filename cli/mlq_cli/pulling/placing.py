"""Writes into the pulled folder: the only module that does.

Invariants: nothing is written outside the folder, for each component below it is opened from the
one above without following links, and must be our own; a file stands under its final name only when
it is whole; and its line is on record before it does. What is not whole yet lies in
`.mlq-pull/parts`, where the next pull finds it. All of it is closed to other users.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import threading
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from mlq.errors import MlqError, StorageError, UnsafePathError
from mlq.files.locks import try_lock
from mlq.files.paths import make_private_dirs
from mlq.files.strict_files import MIB, Absent, Content, read_file
from mlq_cli.pulling.planning import Local
from mlq_cli.pulling.record import Known, Record, file_line, job_line, parse
from mlq_cli.remote.far_tree import Sending, digest_of

OWN = ".mlq-pull"
_PARTS, _RECORD, _LOCK = "parts", "record.jsonl", "lock"
_RECORD_BYTES, _TEXT_BYTES = 1024 * MIB, 256 * MIB
_FULL = frozenset((errno.ENOSPC, errno.EDQUOT))
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_WRITE = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a link",
    stat.S_IFIFO: "a named pipe",
}


class FullDiskError(MlqError):
    """The disk of the folder is full."""


class UnusableFolderError(StorageError):
    """Nothing can be written into the folder."""


class NotPlacedError(MlqError):
    """One file cannot be put in place; others may."""


class Part(NamedTuple):
    """What an interrupted pull left of a file: how many bytes, and their digest."""

    size: int = 0
    digest: str = ""


class Place:
    """A folder, open.

    Args:
        folder: the folder, absolute.

    `record` is what earlier pulls put there, `is_pulled` whether one did or the folder is empty,
    `ignores_case` whether its file system does.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.record = Record({}, {})
        self.ignores_case = False
        self.is_pulled = False
        self._top: int | None = None
        self._parts: int | None = None
        self._log: int | None = None
        self._locked: int | None = None
        self._lock = threading.Lock()
        self._last: tuple[str, int | None] | None = None
        self._left = set[str]()  # parts of earlier pulls, and those begun in this one

    def __enter__(self) -> Place:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close everything."""
        self._forget()
        for one in (self._top, self._parts, self._log, self._locked):
            if one is not None:
                os.close(one)
        self._top = self._parts = self._log = self._locked = None

    def read(self) -> bool:
        """Read what an earlier pull left; return whether the folder is there.

        Raises:
            MlqError: it cannot be used.
        """
        try:
            self._top = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise _unusable(self.folder, error) from None
        found = read_file(self.folder, self.folder / OWN / _RECORD, _RECORD_BYTES)
        self.is_pulled = not isinstance(found, Absent) or not os.listdir(self._top)  # noqa: PTH208
        if isinstance(found, Content):
            self.record = parse(found.data)
        elif not isinstance(found, Absent):
            raise StorageError(f"cannot read {self.folder / OWN / _RECORD}", why=f"it {found.why}")
        return True

    def open(self) -> None:
        """Make the folder if it is not there, and begin to write.

        Raises:
            MlqError: it cannot be used, or another pull writes into it.
        """
        try:
            if self._top is None:
                self.folder.parent.mkdir(parents=True, exist_ok=True)
                make_private_dirs(self.folder)
                self.read()
            assert self._top is not None  # noqa: S101 - `read` opened it
            own = _made(self._top, OWN)
            try:
                self._locked = os.open(_LOCK, _WRITE, 0o600, dir_fd=own)
                self._check_alone(self._locked)
                self._parts = _made(own, _PARTS)
                self._left = set(os.listdir(self._parts))  # noqa: PTH208 - a descriptor
                flags = _WRITE | os.O_APPEND
                self._log = os.open(_RECORD, flags, 0o600, dir_fd=own)
            finally:
                os.close(own)
            # A record that was cut short ends within a line.
            os.write(self._log, b"\n")
            with suppress(OSError):
                os.stat(OWN.upper(), dir_fd=self._top)
                self.ignores_case = True
        except OSError as error:
            raise self._error(error, OWN) from None

    def look(self, path: str) -> Local | None:
        """Return what is at a path; None if nothing is."""
        folder, _, name = path.rpartition("/")
        try:
            at = self._folder(folder)
            if at is None:
                return None
            return _local(name, at)
        except MlqError as error:
            return Local(f"in {error.what}")
        except OSError as error:
            return Local(f"out of reach: {error.strerror or error}")

    def part(self, path: str) -> Part:
        """Return what is left of an interrupted pull of this file."""
        name = _part_name(path)
        if name not in self._left:
            return Part()
        try:
            opened = os.open(name, _WRITE & ~os.O_CREAT, dir_fd=self._parts)
        except OSError:
            return Part()
        try:
            status = os.fstat(opened)
            if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
                return Part()
            return Part(status.st_size, digest_of(opened, status.st_size))
        finally:
            os.close(opened)

    def parts_bytes(self) -> int:
        """Return how many bytes interrupted pulls have left of files that are not whole."""
        sizes = 0
        for name in self._left:
            with suppress(OSError):
                sizes += os.stat(name, dir_fd=self._parts, follow_symlinks=False).st_size
        return sizes

    def content(self, name: str) -> bytes | None:
        """Return the content of a file in the top folder; None if it is none of ours."""
        found = read_file(self.folder, self.folder / name, _TEXT_BYTES)
        return found.data if isinstance(found, Content) else None

    def add_job(self, job_id: str, folder: str) -> None:
        """Note on record that a job has a folder."""
        if self.record.folders.get(job_id) != folder:
            self.record.folders[job_id] = folder
            self._note(job_line(job_id, folder))

    def put(self, path: str, sending: Sending, before: Local | None) -> None:
        """Write a file, and put it in place when it is whole.

        Args:
            path: in the folder.
            sending: the file; its pieces are read to the end.
            before: what is at the path, and is replaced; None if nothing is.

        Raises:
            FullDiskError: the disk is full; what arrived is kept for the next pull.
            NotPlacedError: this one cannot be put there.
            MlqError: as the pieces raise.
        """
        name = _part_name(path)
        try:
            self._write(name, sending)
            self._put(name, path, sending, before)
        except OSError as error:
            raise self._error(error, path) from None

    def tidy(self) -> None:
        """Write the record anew, the last of each kind, and drop what is left of old pulls."""
        with suppress(OSError):
            for name in os.listdir(self._parts):  # noqa: PTH208 - a descriptor
                os.unlink(name, dir_fd=self._parts)
            own = _made(self._top, OWN)
            try:
                new = os.open(f"{_RECORD}.new", _WRITE | os.O_TRUNC, 0o600, dir_fd=own)
                try:
                    _write_all(new, self.record.text())
                    os.fsync(new)
                finally:
                    os.close(new)
                os.rename(f"{_RECORD}.new", _RECORD, src_dir_fd=own, dst_dir_fd=own)
            finally:
                os.close(own)

    def free_bytes(self) -> int:
        """Return how many bytes the disk has left for us."""
        folder = self.folder
        while not folder.is_dir():
            folder = folder.parent
        found = os.statvfs(folder)
        return found.f_bavail * found.f_frsize

    def _write(self, name: str, sending: Sending) -> None:
        opened = os.open(name, _WRITE, 0o600, dir_fd=self._parts)
        self._left.add(name)
        try:
            os.ftruncate(opened, sending.start)
            os.lseek(opened, sending.start, os.SEEK_SET)
            length = sending.start
            for piece in sending.pieces:
                _write_all(opened, piece)
                length += len(piece)
        finally:
            os.close(opened)
        if length != sending.size:
            raise NotPlacedError("it became shorter while it was read")

    def _put(self, name: str, path: str, sending: Sending, before: Local | None) -> None:
        opened = os.open(name, _WRITE & ~os.O_CREAT, dir_fd=self._parts)
        try:
            with suppress(PermissionError):  # a file system without modes
                os.fchmod(opened, 0o700 if sending.is_program else 0o600)
            os.utime(opened, ns=(sending.mtime_ns, sending.mtime_ns))
            local_ns = os.fstat(opened).st_mtime_ns
        finally:
            os.close(opened)
        known = Known(sending.size, sending.mtime_ns, local_ns)
        folder, _, last = path.rpartition("/")
        with self._lock:
            at = self._folder(folder, create=True)
            if _local(last, at) != before:
                raise NotPlacedError("it has just been changed here")
            self.record.add(path, known)
            self._note(file_line(path, known))
            os.rename(name, last, src_dir_fd=self._parts, dst_dir_fd=at)
        self._left.discard(name)

    def _note(self, line: bytes) -> None:
        assert self._log is not None  # noqa: S101 - `open` was called
        try:
            _write_all(self._log, line)
        except OSError as error:
            raise self._error(error, f"{OWN}/{_RECORD}") from None

    def _folder(self, path: str, *, create: bool = False) -> int | None:
        """Return a folder below the top, open; None if it is not there."""
        if self._top is None or not path:
            return self._top
        if self._last is not None and self._last[0] == path and not (create and not self._last[1]):
            return self._last[1]
        self._forget()
        at: int | None = os.dup(self._top)
        for name in path.split("/"):
            assert at is not None  # noqa: S101
            try:
                below = _made(at, name) if create else _opened(at, name)
            finally:
                os.close(at)
            at = below
            if at is None:
                break
        self._last = path, at
        return at

    def _forget(self) -> None:
        if self._last is not None and self._last[1] is not None:
            os.close(self._last[1])
        self._last = None

    def _check_alone(self, lock: int) -> None:
        try:
            is_alone = try_lock(lock)
        except OSError:
            return  # a file system that cannot lock
        if not is_alone:
            raise StorageError(
                f"another pull into {self.folder} runs", fix="wait for it, or name another folder"
            )

    def _error(self, error: OSError, path: str) -> MlqError:
        if error.errno in _FULL:
            return FullDiskError(f"the disk of {self.folder} is full", why=error.strerror or "")
        if error.errno in (errno.EROFS, errno.EIO, errno.ESTALE) or path.startswith(OWN):
            return _unusable(self.folder, error)
        return NotPlacedError(error.strerror or str(error))


def _unusable(folder: Path, error: OSError) -> UnusableFolderError:
    return UnusableFolderError(f"cannot write into {folder}", why=error.strerror or str(error))


def _opened(at: int, name: str) -> int | None:
    """Open a folder of our own; return None if it is not there.

    Raises:
        NotPlacedError: something else is in its place.
        UnsafePathError: it belongs to another user.
    """
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


def _made(at: int | None, name: str) -> int:
    with suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=at)
    assert at is not None  # noqa: S101
    opened = _opened(at, name)
    if opened is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
    return opened


def _local(name: str, at: int | None) -> Local | None:
    try:
        found = os.stat(name, dir_fd=at, follow_symlinks=False)
    except FileNotFoundError:
        return None
    kind = _KINDS.get(stat.S_IFMT(found.st_mode), "no file")
    return Local(kind, found.st_size, found.st_mtime_ns)


def _write_all(opened: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(opened, left) :]


def _part_name(path: str) -> str:
    return hashlib.blake2b(path.encode(errors="surrogateescape"), digest_size=20).hexdigest()
