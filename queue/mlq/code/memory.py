"""What was read of a project the last time, so that only what changed is read again.

A file is known again by its size, times and number, as git's index does it. A file that was
changed just before it was read could be changed again without another time (git calls it racy); it
is not remembered, and so is read each time until it has been left alone for a while.

It is kept in a private local file per project. Without it, or with a damaged one, nothing changes
but the speed.
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

# The coarsest times that file systems keep (FAT); NFS and ext3 keep whole seconds at worst.
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
        """Return what is remembered of a file that was looked at before it was read."""
        return cls(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, sha256)

    def fits(self, found: os.stat_result) -> bool:
        """Return whether a file is still the one that was read."""
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
        path: where it is kept; None forgets.
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
            return cls(folder, None)  # whoever needs the folder for more than speed will say so
        name = f"{zlib.crc32(os.fsencode(folder)):08x}.json"
        memory = cls(folder, inside / name)
        memory._recall()
        return memory

    def keep(self) -> None:
        """Remember what is known now, if that is something new."""
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
            return  # there is none, or it is not one of ours: made anew


def _last(found: dict[str, Any]) -> dict[str, Any]:
    return dict(list(found.items())[-_LAST:])
