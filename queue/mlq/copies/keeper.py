"""Makes a copy and puts it on the results root: for the copier, and as the server stops.

What the server holds replaces a copy only if it is the queue of that root, whole. So neither an
emptied server nor another queue's root can cost the copy that would mend it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from mlq.copies.collector import Collected, Collector
from mlq.copies.copy_files import confirm_copy, root_of_queue, write_copy
from mlq.errors import MlqError
from mlq.files.layout import Layout
from mlq.files.root import pinned

if TYPE_CHECKING:
    from mlq.store.store import Store

DAY_S = 86400.0
AT_STOP_S = 20.0  # how long stopping the server waits for it


class Kept(NamedTuple):
    """What came of making a copy: how many jobs it holds, or why there is none."""

    jobs: int
    trouble: str = ""


class CopyFiles(Protocol):
    """How copies are kept on the results root; `RootCopyFiles` is the real thing. It may hang."""

    def pinned(self, layout: Layout) -> AbstractContextManager[Layout]:
        """Open the root and make sure whose it is, as `mlq.files.root.pinned` does."""

    def write(self, root: Layout, raw: bytes) -> None:
        """Put a copy in place, as `copy_files.write_copy` does."""

    def confirm(self, root: Layout, size: int) -> bool:
        """Note that the latest copy is still right, as `copy_files.confirm_copy` does."""


class RootCopyFiles:
    """The results root itself."""

    pinned = staticmethod(pinned)
    write, confirm = staticmethod(write_copy), staticmethod(confirm_copy)


ROOT_COPY_FILES: CopyFiles = RootCopyFiles()


class CopyKeeper:
    """Makes one copy after another; used by one thread at a time.

    Args:
        store: the queue.
        layout: of the results root, and whose it must be.
        machine: whose name stands in the copies.
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
    """Make a copy as the server is stopped, but wait no longer than `AT_STOP_S`: NFS may hang.

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

    thread = threading.Thread(target=keep, daemon=True)
    thread.start()
    thread.join(AT_STOP_S)
    return found[0] if found else Kept(0, f"nothing came of it within {AT_STOP_S:g} s")
