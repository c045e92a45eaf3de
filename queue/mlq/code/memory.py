"""Remembers the files of a project that were read, so that only changed files are read again.

A file is recognized by its size, times and inode number, as in git's index. A file that changed
just before it was read could change again without a new time (git calls it racy); it is not
remembered, so it is read each time until it has been unchanged for a while.

The memory is a private local file per project. If it is missing or damaged, only the speed suffers.
"""

from __future__ import annotations

import json
import os
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from mlq.errors import UnsafePathError
from mlq.files.layout import write_atomically
from mlq.files.paths import private_dir, read_secret

# Nanoseconds: the coarsest times that file systems keep (FAT); NFS and ext3 keep whole seconds at
# worst.
RACY_NS = 2_000_000_000

_FORMAT = 1
_LAST = 100


class Known(NamedTuple):
    """A file as it was when it was read.

    Args:
        size: in bytes.
        mtime_ns, ctime_ns: its times.
        inode: its number.
        sha256: of its content.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    sha256: str

    @classmethod
    def of(cls, found: os.stat_result, sha256: str) -> Known:
        """Return what to remember of a file, from its status before it was read."""
        return cls(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, sha256)

    def fits(self, found: os.stat_result) -> bool:
        """Return whether a file is still as it was read."""
        return (
            self.mtime_ns == found.st_mtime_ns
            and self.ctime_ns == found.st_ctime_ns
            and self.size == found.st_size
            and self.inode == found.st_ino
        )


def is_racy(found: os.stat_result, now_ns: int) -> bool:
    """Return whether a file may change without a change of its times."""
    return max(found.st_mtime_ns, found.st_ctime_ns) > now_ns - RACY_NS


class Memory:
    """What is remembered of one project.

    Args:
        folder: the project.
        path: the file that keeps it; None keeps nothing.
    """

    def __init__(self, folder: str, path: Path | None) -> None:
        self._folder, self._path = folder, path
        self.files: dict[str, Known] = {}
        self.packs: dict[str, list[Any]] = {}
        self.dirty: dict[str, bool] = {}
        self._was: tuple[object, ...] = ()

    @classmethod
    def of(cls, folder: str, runtime_dir: Path) -> Memory:
        """Return what is remembered of a project.

        Args:
            folder: the project.
            runtime_dir: the setting of that name.
        """
        try:
            inside = private_dir(private_dir(runtime_dir) / "code")
        except UnsafePathError:
            return cls(folder, None)  # code that needs the folder for more than speed reports this
        name = f"{zlib.crc32(os.fsencode(folder)):08x}.json"
        memory = cls(folder, inside / name)
        memory._recall()
        return memory

    def keep(self) -> None:
        """Write what is known now, if it has changed."""
        if self._path is None:
            return
        if self._was != (self.files, self.packs, self.dirty):
            known = [_FORMAT, self._folder, self.files, _last(self.packs), _last(self.dirty)]
            with suppress(OSError):  # a full disk costs the next snapshot its speed
                write_atomically(self._path, json.dumps(known).encode(), flush=False)

    def _recall(self) -> None:
        if self._path is None:
            return
        try:
            text = read_secret(self._path).decode()
            kind, folder, files, packs, dirty = json.loads(text)
            if (kind, folder) == (_FORMAT, self._folder):
                self.files = {path: Known(*one) for path, one in files.items()}
                self.packs, self.dirty = packs, dirty
                self._was = (self.files, dict(packs), dict(dirty))
        except (UnsafePathError, ValueError, TypeError, AttributeError):
            return  # the file is missing, or not one of ours: it is made anew


def _last(found: dict[str, Any]) -> dict[str, Any]:
    return dict(list(found.items())[-_LAST:])
