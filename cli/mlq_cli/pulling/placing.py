"""Writes into the pulled folder: the only module that does.

Invariants: a file stands under its final name only when it is whole, and its line is on record
before it does; all of it is closed to other users. What is not whole yet lies in `.mlq-pull/parts`,
where the next pull finds it. Nothing is written outside the folder (`mlq_cli.pulling.below`).
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

from mlq.code.taking import PULLED
from mlq.errors import MlqError, StorageError
from mlq.files.locks import try_lock
from mlq.files.paths import make_private_dirs
from mlq.files.strict_files import MIB, Absent, Content, read_file
from mlq_cli.pulling.below import Below, NotPlacedError, local_in, made
from mlq_cli.pulling.planning import Item, Local, is_ours
from mlq_cli.pulling.record import Known, Record, file_line, job_line, parse
from mlq_cli.remote.far_tree import Sending, digest_of

OWN = PULLED
_PARTS, _RECORD, _LOCK = "parts", "record.jsonl", "lock"
_RECORD_BYTES, _TEXT_BYTES = 1024 * MIB, 256 * MIB
# From this size on it pays to fetch only what was appended to a file.
_GROWN_BYTES = MIB
_SPARE_BYTES = 1 << 12  # of the record, before it is written anew
_FULL = frozenset((errno.ENOSPC, errno.EDQUOT))
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_WRITE = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class FullDiskError(MlqError):
    """The disk of the folder is full."""


class UnusableFolderError(StorageError):
    """Nothing can be written into the folder."""


class Part(NamedTuple):
    """The beginning of a file that is here already: how many bytes, and their digest."""

    size: int = 0
    digest: str = ""


class Place:
    """A folder to pull into.

    Args:
        folder: the folder, absolute.

    `record` is what earlier pulls put there, `is_pulled` whether one did or the folder is empty,
    `ignores_case` whether its file system does.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.record = Record({}, {})
        self.ignores_case = self.is_pulled = False
        self._below: Below | None = None
        self._parts = self._log = -1
        self._open: list[int] = []
        self._lock = threading.Lock()
        self._begun = set[str]()  # the files in `parts`

    def __enter__(self) -> Place:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close everything."""
        if self._below is not None:
            self._below.close()
        while self._open:
            os.close(self._open.pop())

    def read(self) -> bool:
        """Read what an earlier pull left; return whether the folder is there.

        Raises:
            MlqError: it cannot be used.
        """
        try:
            top = self._kept(os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        except FileNotFoundError:
            return False
        except OSError as error:
            raise _unusable(self.folder, error) from None
        self._below = Below(top)
        self._read_record(top)
        return True

    def open(self) -> None:
        """Make the folder if it is not there, and begin to write.

        Raises:
            MlqError: it cannot be used, or another pull writes into it.
        """
        try:
            if self._below is None:
                self.folder.parent.mkdir(parents=True, exist_ok=True)
                make_private_dirs(self.folder)
                self.read()
            top = self._open[0]
            own = self._kept(made(top, OWN))
            self._check_alone(self._kept(os.open(_LOCK, _WRITE, 0o600, dir_fd=own)))
            self._read_record(top)  # another pull may have written since
            self._parts = self._kept(made(own, _PARTS))
            self._begun = set(os.listdir(self._parts))  # noqa: PTH208 - a descriptor
            self._log = self._kept(os.open(_RECORD, _WRITE | os.O_APPEND, 0o600, dir_fd=own))
            os.write(self._log, b"\n")  # a record that was cut short ends within a line
            self.ignores_case = local_in(top, OWN.upper()) is not None
        except OSError as error:
            raise self._error(error, OWN) from None

    def look(self, path: str) -> Local | None:
        """Return what is at a path; None if nothing is."""
        return None if self._below is None else self._below.look(path)

    def part(self, item: Item) -> Part:
        """Return how much of a file is here: of an interrupted pull, or before it grew."""
        name = _part_name(item.target)
        if name in self._begun:
            return _part_of(name, self._parts)
        known = self.record.files.get(item.target, ())
        local = item.local
        if local is None or local.size < _GROWN_BYTES or local.size >= item.file.size:
            return Part()
        if not is_ours(local, known) or self._below is None:
            return Part()
        folder, _, last = item.target.rpartition("/")
        with self._lock:
            at = self._below.folder(folder)
            return Part() if at is None else _part_of(last, at)

    def parts_bytes(self) -> int:
        """Return how many bytes interrupted pulls have left of files that are not whole."""
        found = (local_in(self._parts, name) for name in self._begun)
        return sum(one.size for one in found if one is not None)

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
            part = os.open(name, _WRITE, 0o600, dir_fd=self._parts)
            try:
                if sending.start and name not in self._begun:
                    self._begin(part, path, sending.start)
                self._begun.add(name)
                _fill(part, sending)
                with suppress(PermissionError):  # a file system without modes
                    os.fchmod(part, 0o700 if sending.is_program else 0o600)
                os.utime(part, ns=(sending.mtime_ns, sending.mtime_ns))
                known = Known(sending.size, sending.mtime_ns, os.fstat(part).st_mtime_ns)
            finally:
                os.close(part)
            self._put(name, path, known, before)
        except OSError as error:
            raise self._error(error, path) from None
        except OverflowError:
            raise NotPlacedError("it has an impossible time") from None

    def tidy(self) -> None:
        """Drop what is left of old pulls, and lines of the record that later ones replace."""
        with suppress(OSError):
            for name in self._begun:
                os.unlink(name, dir_fd=self._parts)
            text, own = self.record.text(), self._open[1]
            if os.fstat(self._log).st_size <= 2 * len(text) + _SPARE_BYTES:
                return
            new = os.open(f"{_RECORD}.new", _WRITE | os.O_TRUNC, 0o600, dir_fd=own)
            try:
                _write_all(new, text)  # no fsync: it would wait for all that was just fetched
            finally:
                os.close(new)
            os.rename(f"{_RECORD}.new", _RECORD, src_dir_fd=own, dst_dir_fd=own)

    def free_bytes(self) -> int:
        """Return how many bytes the disk has left for us."""
        found = os.fstatvfs(self._parts)
        return found.f_bavail * found.f_frsize

    def _read_record(self, top: int) -> None:
        found = read_file(self.folder, self.folder / OWN / _RECORD, _RECORD_BYTES)
        self.is_pulled = not isinstance(found, Absent) or not os.listdir(top)
        if isinstance(found, Content):
            self.record = parse(found.data)
        elif not isinstance(found, Absent):
            raise StorageError(f"cannot read {self.folder / OWN / _RECORD}", why=f"it {found.why}")

    def _begin(self, part: int, path: str, length: int) -> None:
        """Copy the beginning of a file that has grown."""
        folder, _, last = path.rpartition("/")
        with self._lock:
            at = None if self._below is None else self._below.folder(folder)
            old = os.open(last, _READ, dir_fd=at)
        try:
            at_byte = 0
            while piece := os.pread(old, min(MIB, length - at_byte), at_byte):
                _write_all(part, piece)
                at_byte += len(piece)
        finally:
            os.close(old)

    def _put(self, name: str, path: str, known: Known, before: Local | None) -> None:
        folder, _, last = path.rpartition("/")
        with self._lock:
            at = None if self._below is None else self._below.folder(folder, create=True)
            if at is None or local_in(at, last) != before:
                raise NotPlacedError("it has just been changed here")
            self.record.add(path, known)
            self._note(file_line(path, known))
            os.rename(name, last, src_dir_fd=self._parts, dst_dir_fd=at)
            self._begun.discard(name)

    def _note(self, line: bytes) -> None:
        try:
            _write_all(self._log, line)
        except OSError as error:
            raise self._error(error, OWN) from None

    def _kept(self, opened: int) -> int:
        self._open.append(opened)
        return opened

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
        if error.errno in (errno.EROFS, errno.EIO, errno.ESTALE) or path == OWN:
            return _unusable(self.folder, error)
        return NotPlacedError(error.strerror or str(error))


def _unusable(folder: Path, error: OSError) -> UnusableFolderError:
    return UnusableFolderError(f"cannot write into {folder}", why=error.strerror or str(error))


def _part_of(name: str, folder: int) -> Part:
    try:
        opened = os.open(name, _READ, dir_fd=folder)
    except OSError:
        return Part()
    try:
        status = os.fstat(opened)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
            return Part()
        return Part(status.st_size, digest_of(opened, status.st_size))
    finally:
        os.close(opened)


def _fill(part: int, sending: Sending) -> None:
    length = sending.start
    os.ftruncate(part, length)
    os.lseek(part, length, os.SEEK_SET)
    for piece in sending.pieces:
        _write_all(part, piece)
        length += len(piece)
    if length != sending.size:
        raise NotPlacedError("it became shorter while it was read")


def _write_all(opened: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(opened, left) :]


def _part_name(path: str) -> str:
    return hashlib.blake2b(path.encode(errors="surrogateescape"), digest_size=20).hexdigest()
