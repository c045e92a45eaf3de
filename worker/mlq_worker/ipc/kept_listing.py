"""What lies in a folder that is asked about often and seldom changes.

To list /tmp or /dev/shm of a machine in use takes ten times as long as to ask whether a name there
has come or gone. Invariant: what is returned was there after the call began. The clock of files
stands still for some milliseconds, so a folder that changed a moment ago is listed again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

_YOUNG_S = 0.1
_State = tuple[int, int, int]


class KeptListing(Generic[T]):
    """A folder's listing, read again only after the folder has changed; for any thread.

    Args:
        folder: its path.
        read: lists it.
        utc_s: unix time: the clock of files.
    """

    def __init__(
        self, folder: str, read: Callable[[str], T], utc_s: Callable[[], float] = time.time
    ) -> None:
        self._folder, self._read, self._utc_s = folder, read, utc_s
        self._kept: tuple[_State, float, T] | None = None  # one value: threads replace it whole

    def look(self) -> T:
        """Return what lies there.

        Raises:
            OSError: the folder cannot be read.
        """
        found = os.stat(self._folder)  # noqa: PTH116 - each second, and for each short job
        state = found.st_dev, found.st_ino, found.st_mtime_ns
        kept = self._kept
        if kept is not None and kept[0] == state and found.st_mtime_ns / 1e9 < kept[1] - _YOUNG_S:
            return kept[2]
        at = self._utc_s()
        listing = self._read(self._folder)
        self._kept = state, at, listing
        return listing
