"""Which files are the code of a folder in no git repository: all of them, if they are few.

A folder of scripts is small. A large folder may be anything, even a data set or a whole disk; the
walk stops at a limit, and the job runs in the live folder.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import NamedTuple

from mlq.code.listing import Listing
from mlq.code.taking import CACHE, GIT_FOLDER, LARGE_BYTES, is_used_live

MOST_FILES, MOST_BYTES = 1_000, 20 << 20


class _TooMuchError(Exception):
    pass


class _Walk(NamedTuple):
    files: list[str]
    ignored: list[str]


def list_folder(folder: str) -> Listing | None:
    """Return the files of a folder, all of them as untracked; None if they are too many.

    Unreadable folders, Python environments and what was pulled count as ignored.
    """
    walk = _Walk([], [])
    try:
        _walk(folder, "", walk, 0)
    except _TooMuchError:
        return None
    return Listing([], walk.files, walk.ignored)


def _walk(top: str, inside: str, walk: _Walk, size: int) -> int:
    try:
        entries = sorted(os.scandir(f"{top}/{inside}"), key=lambda one: one.name)
    except OSError:
        if not inside:
            raise _TooMuchError from None
        walk.ignored.append(inside.rstrip("/"))
        return size
    if inside and is_used_live([one.name for one in entries]):
        walk.ignored.append(inside.rstrip("/"))
        return size
    for entry in entries:
        path = inside + entry.name
        if entry.is_dir(follow_symlinks=False):
            if entry.name not in (GIT_FOLDER, CACHE):
                size = _walk(top, f"{path}/", walk, size)
            continue
        walk.files.append(path)
        with suppress(OSError):
            found = entry.stat(follow_symlinks=False).st_size
            size += found if found <= LARGE_BYTES else 0
        if len(walk.files) > MOST_FILES or size > MOST_BYTES:
            raise _TooMuchError
    return size
