"""Whether an attempt has saved anything in its MLQ_CHECKPOINT_DIR, and when it last did.

The folder is on NFS, which may hang for ever, so it is listed in one thread, and no answer counts
as no. It is kept from attempt to attempt and its times are those of the file server. So what an
attempt has saved is what differs from the first listing after its start; clocks are not compared.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mlq.jobs.attempt import AttemptId
from mlq_worker.guest.asker import Asker
from mlq_worker.guest.watch import GuestAttempt

EVERY_S = 60.0
_MOST_FILES, _DEEPEST = 2000, 4
_UNFINISHED = (".tmp", ".part", "~")

Listing = Mapping[str, tuple[int, int]]
"""Path -> size in bytes, and time of the last change in ns."""


@dataclass(slots=True)
class _Known:
    """What is known of an attempt; times are boot times.

    Args:
        latest: the last listing; at first what is known from an earlier attempt.
        is_own: whether that was made since this attempt started.
        asked_at: when the folder was last asked for.
        saved_at: when it was noticed that something had been saved.
    """

    latest: Listing | None
    is_own: bool = False
    asked_at: float = float("-inf")
    saved_at: float | None = None


class Saved:
    """Has the folders of all attempts listed once a minute.

    Args:
        asker: lists folders without being waited for.
    """

    def __init__(self, asker: Asker[str, Listing] | None = None) -> None:
        self._asker = asker or Asker(list_folder)
        self._known: dict[AttemptId, _Known] = {}

    def look(self, attempts: Sequence[GuestAttempt], at: float) -> None:
        """Take in the answers, and ask what is due."""
        known, self._known = self._known, {}
        for attempt in attempts:
            folder = attempt.checkpoint_dir
            found = self._asker.last(folder)
            one = self._known[attempt.id] = known.get(attempt.id) or _Known(found)
            if found is not None and found is not one.latest:
                if one.is_own and _has_more(one.latest or {}, found):
                    one.saved_at = at
                one.latest, one.is_own = found, True
            if not 0 <= at - one.asked_at < EVERY_S:
                one.asked_at = at
                self._asker.ask(folder)
        self._asker.keep([one.checkpoint_dir for one in attempts])

    def saved_at(self, attempt: AttemptId) -> float | None:
        """Return when it was noticed that an attempt had saved something; None: not yet."""
        known = self._known.get(attempt)
        return known.saved_at if known is not None else None


def _has_more(before: Listing, now: Listing) -> bool:
    return any(before.get(path) != seen for path, seen in now.items())


def list_folder(folder: str) -> Listing:
    """Return the files of a folder that hold something; it may hang.

    Raises:
        OSError: it cannot be read.
    """
    return dict(_files(folder, _DEEPEST, [_MOST_FILES]))


def _files(folder: str, depth: int, left: list[int]) -> Iterator[tuple[str, tuple[int, int]]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            left[0] -= 1
            if left[0] < 0:
                return
            if entry.name.startswith(".") or entry.name.endswith(_UNFINISHED):
                continue
            if entry.is_dir(follow_symlinks=False) and depth:
                yield from _files(entry.path, depth - 1, left)
            elif entry.is_file(follow_symlinks=False):
                found = entry.stat(follow_symlinks=False)
                if found.st_size:
                    yield entry.path, (found.st_size, found.st_mtime_ns)
