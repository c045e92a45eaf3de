"""Removes, at a job's end, the files of its copy whose content is still as it was unpacked.

Times say too little: a job may set them, and clocks of file servers jump. So a file is removed only
if the pack holds the same bytes; then nothing is lost. Invariant: what the job made or changed
stays, and nothing is removed through a link that the job has put in the place of a folder.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from mlq.code.as_packed import is_as_packed
from mlq.code.manifest import PackedFile
from mlq.files.side_by_side import each
from mlq_worker.launcher.unpacking import Tree, above

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_PYCACHE = "__pycache__"
# Errors of `rmdir` that mean: it holds something, or is no folder.
_STAYS = frozenset((errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT, errno.ENOTDIR, errno.EBUSY))


def torn(tree: Tree, folder: str, marker: str) -> frozenset[str]:
    """Return the files that a power cut has torn: content differs, but no change since the marker.

    Args:
        tree: what the copy consists of.
        folder: where it is.
        marker: what was written after it was whole.

    Raises:
        OSError: of the disk.
    """
    whole_ns = os.lstat(marker).st_ctime_ns
    found: list[str] = []

    def look(file: PackedFile) -> None:
        path = f"{folder}/{file.path}"
        with suppress(FileNotFoundError, NotADirectoryError):
            status = os.lstat(path)
            is_untouched = stat.S_ISREG(status.st_mode) and status.st_ctime_ns <= whole_ns
            if is_untouched and not _has_content(path, file):
                found.append(file.path)

    each(tree.manifest.files, look)
    return frozenset(found)


def remove_unchanged(tree: Tree, folder: str) -> None:
    """Remove what is still as it was unpacked, and folders that are empty then.

    Raises:
        OSError: of the disk.
    """
    if not _is_folder(folder) or not _is_folder(os.path.dirname(folder)):  # noqa: PTH120 - text
        return  # the job has put a link in its place, perhaps to the live project
    removed: list[str] = []
    is_plain = _Plain(folder)

    def remove_file(file: PackedFile) -> None:
        if is_plain.above(file.path) and _has_content(f"{folder}/{file.path}", file):
            os.unlink(f"{folder}/{file.path}")  # noqa: PTH108 - speed
            removed.append(file.path)

    def remove_link(item: tuple[str, str]) -> None:
        with suppress(OSError):
            is_same = os.readlink(f"{folder}/{item[0]}") == item[1]  # noqa: PTH115 - speed
            if is_same and is_plain.above(item[0]):
                os.unlink(f"{folder}/{item[0]}")  # noqa: PTH108 - speed

    each(tree.manifest.files, remove_file)
    each(tree.links().items(), remove_link)
    caches = {f"{os.path.dirname(path)}/{_PYCACHE}".lstrip("/") for path in removed}  # noqa: PTH120
    for cache in filter(is_plain, caches):
        _remove_bytecode(folder, cache, removed)
    folders = {one for path in (*tree.paths(), *caches) for one in above(path)} | caches
    for one in sorted(folders, key=lambda path: path.count("/"), reverse=True):
        if is_plain.above(one):
            _remove_empty(f"{folder}/{one}")
    _remove_empty(folder)


class _Plain:
    """Tells folders from links to folders that a job has put in their place."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._known: dict[str, bool] = {}

    def __call__(self, path: str) -> bool:
        if path not in self._known:
            self._known[path] = _is_folder(f"{self._folder}/{path}")
        return self._known[path]

    def above(self, path: str) -> bool:
        """Return whether all above a path are folders."""
        return all(self(one) for one in above(path))


def _is_folder(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False


def _has_content(path: str, file: PackedFile) -> bool:
    try:
        opened = os.open(path, _READ)
    except OSError:
        return False
    try:
        return is_as_packed(opened, file)
    finally:
        os.close(opened)


def _remove_bytecode(folder: str, cache: str, removed: Iterable[str]) -> None:
    """Remove what Python compiled of files that are gone."""
    parent = os.path.dirname(cache)  # noqa: PTH120 - text
    stems = {
        Path(path).stem
        for path in removed
        if path.endswith(".py") and os.path.dirname(path) == parent  # noqa: PTH120 - text
    }
    try:
        names = os.listdir(f"{folder}/{cache}")  # noqa: PTH208 - names
    except OSError:
        return
    for name in names:
        if name.endswith(".pyc") and name.split(".", 1)[0] in stems:
            with suppress(OSError):
                os.unlink(f"{folder}/{cache}/{name}")  # noqa: PTH108 - speed


def _remove_empty(path: str) -> None:
    try:
        os.rmdir(path)  # noqa: PTH106 - speed
    except OSError as error:
        if error.errno not in _STAYS:
            raise
