"""Makes copies and puts them on the results root: for the copier, and when the server stops.

The server's data replace a copy only if they are the whole queue of that root. So neither an
emptied server nor another queue's server can destroy the copy that would restore it.

There are two copies: the latest, and one made up to an hour before it. Each is written under a
temporary name, flushed and renamed, so that at least one of them is whole at any instant. A copy
that would hold the same as the latest is not written; the time of the latest is updated instead, so
its age is always known.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from mlq.copies.collector import Collected, Collector
from mlq.copies.copy_format import Copy, parsed
from mlq.errors import MlqError, StorageError
from mlq.files.layout import Layout, write_atomically
from mlq.files.paths import make_private_dirs
from mlq.files.root import pinned, read_owner
from mlq.files.strict_files import Absent, Content, read_file
from mlq.threads import run_at_most

if TYPE_CHECKING:
    from mlq.store.store import Store

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
        StorageError: it belongs to no queue, or cannot be read.
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
        OSError: it cannot be written; the copies that were there remain.
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
        tell: is called with a message about each copy that cannot be read.
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


DAY_S = 86400.0
AT_STOP_S = 20.0  # how long stopping the server waits for it


class Kept(NamedTuple):
    """The outcome of making a copy: how many jobs it holds, or why there is none."""

    jobs: int
    trouble: str = ""


class CopyFiles(Protocol):
    """How copies are kept on the results root; `RootCopyFiles` is the real thing. It may hang."""

    def pinned(self, layout: Layout) -> AbstractContextManager[Layout]:
        """Open the root and check which queue it belongs to, as `mlq.files.root.pinned` does."""

    def write(self, root: Layout, raw: bytes) -> None:
        """Put a copy in place, as `write_copy` does."""

    def confirm(self, root: Layout, size: int) -> bool:
        """Note that the latest copy is still right, as `confirm_copy` does."""


class RootCopyFiles:
    """The results root itself."""

    pinned = staticmethod(pinned)
    write, confirm = staticmethod(write_copy), staticmethod(confirm_copy)


ROOT_COPY_FILES: CopyFiles = RootCopyFiles()


class CopyKeeper:
    """Makes one copy after another; used by one thread at a time.

    Args:
        store: the queue.
        layout: of the results root, with the queue that it must belong to.
        machine: the name written into the copies.
        keep_days: how long ended jobs stay in the queue.
        files: how copies are kept.
    """

    def __init__(
        self,
        store: Store,
        layout: Layout,
        machine: str,
        keep_days: float,
        files: CopyFiles = ROOT_COPY_FILES,
    ) -> None:
        self._collector = Collector(store, machine, keep_days * DAY_S)
        self._layout, self._files = layout, files
        self._latest: Collected | None = None
        self._size = 0

    def keep(self) -> Kept:
        """Make a copy and put it in place, or note that the one in place is still right."""
        try:
            made = self._collector.collect(self._layout.queue_id)
            with self._files.pinned(self._layout) as root:
                self._put(root, made)
        except MlqError as error:
            return Kept(0, str(error))
        except OSError as error:
            return Kept(0, f"{error.filename or self._layout.root}: {error.strerror or error}")
        return Kept(made.header.jobs)

    def _put(self, root: Layout, made: Collected) -> None:
        if made.is_like(self._latest) and self._files.confirm(root, self._size):
            return
        raw = made.raw
        self._files.write(root, raw)
        self._latest, self._size = made, len(raw)


def kept_at_stop(
    open_store: Callable[[], Store], root: Path, machine: str, keep_days: float
) -> Kept:
    """Make a copy when the server is stopped; wait at most `AT_STOP_S` seconds, since NFS may hang.

    Args:
        open_store: reaches the queue.
        root: the results root.
        machine: this one.
        keep_days: how long ended jobs stay in the queue.
    """
    found: list[Kept] = []

    def keep() -> None:
        try:
            keeper = CopyKeeper(open_store(), root_of_queue(root), machine, keep_days)
            found.append(keeper.keep())
        except MlqError as error:
            found.append(Kept(0, str(error)))

    run_at_most(AT_STOP_S, keep, "copy")
    return found[0] if found else Kept(0, f"nothing came of it within {AT_STOP_S:g} s")
