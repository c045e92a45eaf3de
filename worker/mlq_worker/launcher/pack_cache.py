"""Reads packs of code: once from NFS, then from the machine's own disk.

Twenty jobs of a sweep share a pack, and a machine should read it from NFS once. The cache is only
for speed. It lies where every user may write (/var/tmp) and where cleaners delete, so it is used
only if it is our own folder and closed to others; if anything is wrong with it, the pack is read
from the results root. `unpacking` checks what is read. Invariant: no fault of the cache makes a job
fail.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO

from mlq.files.layout import Layout, write_atomically
from mlq.files.paths import make_private_dirs
from mlq.files.strict_files import (
    MIB,
    Absent,
    Content,
    Found,
    Missing,
    Refused,
    Unreadable,
    open_file,
    read_file,
)

MOST_BYTES = 1 << 30
"""The most bytes that are kept; the pack that was unused for longest goes first."""
_LIST_BYTES = 64 * MIB
_LARGEST_SHARE = 4  # a pack that is larger than a quarter of what is free is not kept
_PIECE_BYTES = MIB
_NO_LINK = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class PackError(Exception):
    """A pack cannot be read; `is_over`: no later attempt can succeed; `missing`: it is gone."""

    def __init__(self, reason: str, *, is_over: bool = False, missing: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.is_over, self.missing = reason, is_over, missing


class PackCache:
    """One machine's cache of the packs of one results root; several threads may use it.

    Args:
        note: writes a line into the machine's log.
        most_bytes: the most bytes that are kept.
    """

    def __init__(self, note: Callable[[str], None], most_bytes: int = MOST_BYTES) -> None:
        self._note, self._most_bytes = note, most_bytes
        self._said: set[str] = set()
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}

    def open_pack(self, root: Layout, digest: str, cache_dir: str) -> BinaryIO:
        """Open a pack for reading.

        Raises:
            PackError: it cannot be read.
        """
        name = f"{digest}.tgz"
        with self._only_one(name):
            cached = self._cached(cache_dir, name)
            if cached is not None:
                return os.fdopen(cached, "rb")
            found = _opened(root, name)
            kept = self._kept(cache_dir, name, found)
            if kept is None:
                os.lseek(found, 0, os.SEEK_SET)
                return os.fdopen(found, "rb")
            os.close(found)
            return os.fdopen(kept, "rb")

    def drop(self, digest: str, cache_dir: str) -> bool:
        """Remove a damaged pack; return whether there was one."""
        try:
            os.unlink(f"{cache_dir}/packs/{digest}.tgz")  # noqa: PTH108 - like all here
        except OSError:
            return False
        return True

    def _only_one(self, name: str) -> threading.Lock:
        with self._lock:
            return self._locks.setdefault(name, threading.Lock())

    def _cached(self, cache_dir: str, name: str) -> int | None:
        """Return a cached file, opened and marked as used; None if there is none of ours."""
        try:
            found = os.open(f"{cache_dir}/packs/{name}", _NO_LINK)
        except OSError:
            return None
        status = os.fstat(found)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
            os.close(found)
            return None
        with suppress(OSError):
            os.utime(found)
        return found

    def _kept(self, cache_dir: str, name: str, source: int) -> int | None:
        """Copy an open file into the cache and open it there; None if it cannot be kept."""
        try:
            folder = _own_folder(cache_dir)
            size = os.fstat(source).st_size
            space = os.statvfs(folder)
            if size * _LARGEST_SHARE > space.f_bavail * space.f_frsize:
                raise OSError(0, "little is free there")
            self._make_room(folder, size)
            _copy(source, f"{folder}/{name}")
            return os.open(f"{folder}/{name}", _NO_LINK)
        except OSError as error:
            self._say(f"packs are not kept in {cache_dir}: {error.strerror or error}")
            return None

    def _make_room(self, folder: str, bytes_wanted: int) -> None:
        entries: list[tuple[float, int, str]] = []
        with os.scandir(folder) as listed:
            for one in listed:
                with suppress(OSError):
                    status = one.stat(follow_symlinks=False)
                    entries.append((status.st_mtime, status.st_size, one.path))
        total = sum(size for _, size, _ in entries) + bytes_wanted
        for _, size, path in sorted(entries):
            if total <= self._most_bytes:
                return
            with suppress(OSError):
                os.unlink(path)  # noqa: PTH108 - like all here
                total -= size

    def _say(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._note(text)


def read_list(root: Layout, name: str) -> bytes:
    """Return a manifest or a list of links: `HASH.manifest`, `HASH.links`.

    Raises:
        PackError: it cannot be read.
    """
    path = root.code_dir / name
    found: Found = read_file(root.root, path, _LIST_BYTES)
    if isinstance(found, Content):
        return found.data
    raise _error(name, found)


def _opened(root: Layout, name: str) -> int:
    found = open_file(root.root, root.code_dir / name)
    if isinstance(found, int):
        return found
    raise _error(name, found)


def _error(name: str, found: Missing) -> PackError:
    match found:
        case Unreadable(why):
            return PackError(f"code/{name} cannot be read: {why}")
        case Refused(why):
            return PackError(f"code/{name} {why}", is_over=True)
        case Absent():
            return PackError(f"code/{name} is missing in the results root", missing=True)


def _own_folder(cache_dir: str) -> str:
    """Return the folder of packs; make it if missing, raise OSError if it is not ours alone."""
    folder = cache_dir
    for one in (cache_dir, f"{cache_dir}/packs"):
        folder = one
        make_private_dirs(one)
        status = os.lstat(one)
        if not stat.S_ISDIR(status.st_mode):
            raise OSError(0, f"{one} is no folder")
        if status.st_uid != os.geteuid():
            raise OSError(0, f"it belongs to user {status.st_uid}")
        if status.st_mode & 0o077:
            raise OSError(0, f"it is open to others (mode {stat.S_IMODE(status.st_mode):04o})")
    return folder


def _copy(source: int, path: str) -> None:
    """Copy an open file completely or not at all."""
    size = os.fstat(source).st_size
    if size <= _PIECE_BYTES:
        write_atomically(path, os.pread(source, size, 0), flush=False)
        return
    temporary = f"{path}.{os.getpid()}-{os.urandom(4).hex()}.tmp"
    target = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        try:
            at = 0
            while piece := os.pread(source, _PIECE_BYTES, at):
                at += len(piece)
                left = memoryview(piece)
                while left:
                    left = left[os.write(target, left) :]
        finally:
            os.close(target)
        os.replace(temporary, path)  # noqa: PTH105 - like all here
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)  # noqa: PTH108 - like all here
        raise
