"""Makes a copy and puts it on the results root: for whoever has the role, and as the server stops.

What the server holds replaces a copy only if it is the queue of that root, whole. So neither an
emptied server nor another queue's root can cost the copy that would mend it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from mlq.copies.collector import Collected, Collector
from mlq.copies.copy_files import confirm_copy, queue_of_root, write_copy
from mlq.errors import MlqError
from mlq.layout import Layout

if TYPE_CHECKING:
    from mlq.store.store import Store

DAY_S = 86400.0
AT_STOP_S = 20.0  # how long stopping the server waits for it


class Kept(NamedTuple):
    """What came of making a copy: how many jobs it holds, or why there is none."""

    jobs: int
    trouble: str = ""


class CopyKeeper:
    """Makes one copy after another; used by one thread at a time.

    Args:
        store: the queue.
        layout: of the results root.
        machine: whose name stands in the copies.
        keep_days: how long ended jobs stay in the queue.
    """

    def __init__(self, store: Store, layout: Layout, machine: str, keep_days: float) -> None:
        self._collector = Collector(store, machine, keep_days * DAY_S)
        self._layout = layout
        self._latest: Collected | None = None
        self._size = 0

    def keep(self) -> Kept:
        """Make a copy and put it in place, or note that the one in place is still right."""
        try:
            made = self._collector.collect(queue_of_root(self._layout))
            self._put(made)
        except MlqError as error:
            return Kept(0, str(error))
        except OSError as error:
            return Kept(0, f"{error.filename or self._layout.root}: {error.strerror or error}")
        return Kept(made.header.jobs)

    def _put(self, made: Collected) -> None:
        if made.is_like(self._latest) and confirm_copy(self._layout, self._size):
            return
        raw = made.raw
        write_copy(self._layout, raw)
        self._latest, self._size = made, len(raw)


def keep_within(keeper: CopyKeeper, timeout_s: float) -> Kept:
    """Make a copy, but wait no longer than this: NFS may hang for good.

    Args:
        keeper: makes the copy.
        timeout_s: after which it is given up.
    """
    found: list[Kept] = []
    thread = threading.Thread(target=lambda: found.append(keeper.keep()), daemon=True)
    thread.start()
    thread.join(timeout_s)
    return found[0] if found else Kept(0, f"nothing came of it within {timeout_s:g} s")


def kept_at_stop(
    open_store: Callable[[], Store], layout: Layout, machine: str, keep_days: float
) -> Kept:
    """Make a copy as the server is stopped.

    Args:
        open_store: reaches the queue.
        layout: of the results root.
        machine: this one.
        keep_days: how long ended jobs stay in the queue.
    """
    try:
        keeper = CopyKeeper(open_store(), layout, machine, keep_days)
    except MlqError as error:
        return Kept(0, str(error))
    return keep_within(keeper, AT_STOP_S)
