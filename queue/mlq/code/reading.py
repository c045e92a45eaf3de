"""Reads the files of a snapshot: each once, whole, and only if it has changed since the last time.

Invariant: the sha256 of a file is that of a content that the whole file had at one moment. A file
that is written meanwhile is read again, and finally the error names it: a job must not run
half-written code.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from mlq.code.limits import shown
from mlq.code.manifest import EXECUTABLE, PLAIN, PackedFile
from mlq.code.memory import Known, is_racy
from mlq.errors import StorageError
from mlq.files.side_by_side import results

_TRIES = 3
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


class ReadFiles(NamedTuple):
    """Files of a project.

    Args:
        files: as they are packed.
        contents: of those that were read now; the others are as remembered.
        known: what to remember of each.
    """

    files: list[PackedFile]
    contents: dict[str, bytes]
    known: dict[str, Known]


def look_at(folder: str, paths: Iterable[str]) -> dict[str, os.stat_result]:
    """Return the files that are there, links as links."""
    wanted = list(paths)
    found = results(lambda path: _looked_at(folder, path), wanted)
    return {path: one for path, one in zip(wanted, found, strict=True) if one is not None}


def _looked_at(folder: str, path: str) -> os.stat_result | None:
    try:
        return os.lstat(f"{folder}/{path}")
    except (FileNotFoundError, NotADirectoryError):
        return None  # git lists it, but it is gone
    except OSError as error:
        raise unreadable(folder, path, error) from None


def read_files(
    folder: str,
    stats: Mapping[str, os.stat_result],
    known: Mapping[str, Known],
    now_ns: Callable[[], int],
) -> ReadFiles:
    """Read those of these files that differ from what is remembered.

    Args:
        folder: the project.
        stats: regular files, as they were looked at.
        known: what is remembered.
        now_ns: unix time.

    Raises:
        StorageError: a file cannot be read, or keeps changing.
    """
    read = ReadFiles([], {}, {})
    changed = [
        path
        for path, found in stats.items()
        if (remembered := known.get(path)) is None or not remembered.fits(found)
    ]
    contents = results(lambda path: read_whole(folder, path), changed)
    new = dict(zip(changed, contents, strict=True))
    for path, looked_at in stats.items():
        if path in new:
            content, found = new[path]
            read.contents[path] = content
            now_known = Known.of(found, hashlib.sha256(content).hexdigest())
        else:
            found, now_known = looked_at, known[path]
        if not is_racy(found, now_ns()):
            read.known[path] = now_known
        mode = EXECUTABLE if found.st_mode & stat.S_IXUSR else PLAIN
        read.files.append(PackedFile(path, mode, found.st_size, now_known.sha256))
    return read


def read_whole(folder: str, path: str) -> tuple[bytes, os.stat_result]:
    """Return the content of a regular file, and its status when it had that content.

    Raises:
        StorageError: it cannot be read, or changes each time that it is read.
    """
    for _ in range(_TRIES):
        try:
            descriptor = os.open(f"{folder}/{path}", _FLAGS)
            try:
                before = os.fstat(descriptor)
                content = _all_of(descriptor, before.st_size)
                after = os.fstat(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise unreadable(folder, path, error) from None
        if Known.of(before, "") == Known.of(after, "") and len(content) == before.st_size:
            return content, before
    raise changes(folder, path, _TRIES)


def _all_of(descriptor: int, size: int) -> bytes:
    """Read a file of this size; if the file has grown meanwhile, return more than that."""
    content = b""
    while len(content) <= size and (piece := os.read(descriptor, size + 1 - len(content))):
        content = content + piece if content else piece
    return content


def changes(folder: str, path: str, times: int) -> StorageError:
    """Return the error for a file that changed during each of so many readings."""
    return StorageError(
        f"the code in {folder} cannot be taken along",
        why=f"{shown(path)} changes while it is read, {times} times now",
        fix="enqueue when it is left alone; or, if it is no code, name it in .mlqignore:"
        f" {shown(path)}",
    )


def unreadable(folder: str, path: str, error: OSError) -> StorageError:
    """Return the error for a file that cannot be read."""
    return StorageError(
        f"the code in {folder} cannot be taken along",
        why=f"{shown(path)} cannot be read: {error.strerror or error}",
        fix=f"make it readable; or, if it is no code, name it in .mlqignore: {shown(path)}",
    )
