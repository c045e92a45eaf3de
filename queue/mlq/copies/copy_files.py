"""Where copies lie, and how they are written and found.

There are two: the latest, and one made up to an hour before it. Each is written beside its place,
flushed and renamed, so that one of them is whole at any instant. A copy that would hold the same as
the latest is not written; the latest gets the time instead, so its age is always known.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from mlq.copies.copy_format import Copy, parsed
from mlq.errors import StorageError
from mlq.files.layout import Layout, write_atomically
from mlq.files.paths import make_private_dirs
from mlq.files.root import read_owner
from mlq.files.strict_files import Absent, Content, read_file

LATEST, PREVIOUS = "unended.jsonl.gz", "unended.previous.jsonl.gz"
LARGEST_BYTES = 1 << 30
PREVIOUS_LASTS_S = 3600.0


class FoundCopy(NamedTuple):
    """A copy that was found; `made_s` is when it was last known to be right, by NFS's clock."""

    path: Path
    made_s: float
    copy: Copy


def copies_dir(layout: Layout) -> Path:
    """Return the folder of the copies."""
    return layout.root / "queue"


def root_of_queue(root: Path) -> Layout:
    """Return the layout of a results root, with the id of the queue that it belongs to.

    Raises:
        StorageError: it belongs to none, or cannot be read.
    """
    try:
        owner = read_owner(root)
    except OSError as error:
        why = error.strerror or str(error)
        raise StorageError(f"the results root {root} cannot be used", why=why) from None
    if owner is None:
        raise StorageError(
            f"the folder {root} is no results root of a queue",
            why="it has no queue.json",
            fix="is the share mounted, and MLQ_ROOT right? See `mlq config`",
        )
    return Layout(root, owner.queue_id)


def write_copy(layout: Layout, raw: bytes) -> None:
    """Put a copy in place; the one before it stays, too.

    Raises:
        OSError: it cannot be written; what was there stands.
    """
    folder = copies_dir(layout)
    make_private_dirs(folder)
    _keep_previous(folder)
    write_atomically(folder / LATEST, raw)


def _keep_previous(folder: Path) -> None:
    latest, previous = folder / LATEST, folder / PREVIOUS
    with suppress(FileNotFoundError):
        newest_s = latest.stat().st_mtime
        with suppress(FileNotFoundError):
            if newest_s - previous.stat().st_mtime < PREVIOUS_LASTS_S:
                return
        spare = folder / f".{PREVIOUS}.{os.getpid()}"
        with suppress(FileNotFoundError):
            spare.unlink()
        spare.hardlink_to(latest)
        spare.replace(previous)


def confirm_copy(layout: Layout, size: int) -> bool:
    """Note that the latest copy is still right; return False if it is not there any more.

    Args:
        layout: of the results root.
        size: of the copy that is meant.

    Raises:
        OSError: it cannot be touched.
    """
    path = copies_dir(layout) / LATEST
    try:
        if path.stat().st_size != size:
            return False
        os.utime(path)  # stamps the clock of the file server
    except FileNotFoundError:
        return False
    return True


def find_copy(layout: Layout, tell: Callable[[str], None]) -> FoundCopy | None:
    """Return the latest copy that can be read, None if there is none.

    Args:
        layout: of the results root.
        tell: is told of a copy that cannot be read.
    """
    for name in (LATEST, PREVIOUS):
        path = copies_dir(layout) / name
        found = read_file(layout.root, path, LARGEST_BYTES)
        if isinstance(found, Absent):
            continue
        if not isinstance(found, Content):
            tell(f"{path}: {found.why}")
            continue
        try:
            return FoundCopy(path, path.stat().st_mtime, parsed(found.data, str(path)))
        except (StorageError, OSError) as error:
            tell(str(error))
    return None
