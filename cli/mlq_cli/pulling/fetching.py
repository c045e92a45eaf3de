"""Moves the planned files from the source into the folder, and keeps count.

On a mounted root, several threads help if the disk is slow (`mlq.files.side_by_side`). From afar
one connection carries all; if it breaks after it has carried something, it is made anew, and the
file that was being fetched goes on where it stopped. Invariant: what is counted as fetched is in
place.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from mlq.errors import MlqError, TunnelError
from mlq.files.side_by_side import each
from mlq.files.strict_files import Absent, Missing
from mlq_cli.pulling.placing import FullDiskError, Place, UnusableFolderError
from mlq_cli.pulling.planning import Item
from mlq_cli.pulling.source import Source
from mlq_cli.remote.far_tree import Sending, Want
from mlq_cli.render.words import count

_AGAIN = "run the same command again: it goes on where it stopped"
_AT_ONCE = 16  # files that one thread takes from a folder


class Tally:
    """What was moved so far; several threads may note at once.

    Args:
        show: called after each piece.

    `bytes` are those of all files in place, `moved` those that came over, also in vain.
    """

    def __init__(self, show: Callable[[Tally], None] = lambda _: None) -> None:
        self.fetched: list[Item] = []
        self.bytes = 0
        self.moved = 0
        self.vanished: list[Item] = []
        self.changing: list[Item] = []
        self.failed: list[tuple[Item, str]] = []
        self._show, self._lock = show, threading.Lock()
        self._reached: dict[str, int] = {}  # of the files that are being fetched

    @property
    def reached(self) -> int:
        """How many bytes are here, of files in place and of those that are being fetched."""
        return self.bytes + sum(self._reached.values())

    def counted(self, item: Item, sending: Sending) -> Iterator[bytes]:
        """Yield the pieces of a file, and count their bytes."""
        with self._lock:
            self._reached[item.target] = sending.start
        for piece in sending.pieces:
            with self._lock:
                self.moved += len(piece)
                self._reached[item.target] += len(piece)
                self._show(self)
            yield piece

    def lost(self, item: Item, why: str) -> None:
        """Note that a file could not be fetched, or not put in place."""
        with self._lock:
            self.failed.append((item, why))
            self._reached.pop(item.target, None)

    def done(self, item: Item, size: int) -> None:
        """Note that a file is in place."""
        with self._lock:
            self.fetched.append(item)
            self.bytes += size
            self._reached.pop(item.target, None)
            self._show(self)


def fetch(
    source: Source, place: Place, items: Sequence[Item], places: dict[str, str], tally: Tally
) -> None:
    """Fetch files.

    Args:
        source: where they are.
        place: where they go.
        items: what is fetched.
        places: job -> its folder, relative to the root.
        tally: takes what was done, also if this raises.

    Raises:
        FullDiskError: the disk here is full.
        TunnelError: the connection broke, and nothing came over a new one.
        UnusableFolderError: the folder cannot be written.
    """

    def wants(some: Sequence[Item]) -> Iterator[Want]:
        for item in some:
            part = place.part(item)
            yield Want(f"{places[item.job_id]}/{item.file.path}", part.size, part.digest)

    if source.is_far:
        _fetch_far(source, place, items, wants, tally)
        return

    def take_some(some: Sequence[Item]) -> None:
        for item, sending in zip(some, source.send_all(wants(some)), strict=True):
            _take(place, item, sending, tally)

    each((items[at : at + _AT_ONCE] for at in range(0, len(items), _AT_ONCE)), take_some)


def _fetch_far(
    source: Source,
    place: Place,
    items: Sequence[Item],
    wants: Callable[[Sequence[Item]], Iterator[Want]],
    tally: Tally,
) -> None:
    left = deque(items)
    while left:
        before = tally.moved, len(left)
        try:
            for sending in source.send_all(wants(list(left))):
                _take(place, left[0], sending, tally)
                left.popleft()
        except TunnelError as error:
            if (tally.moved, len(left)) == before:
                have = f"{count(len(tally.fetched), 'file')} fetched, {len(left)} left"
                fix = f"{error.fix}; then {_AGAIN}" if error.fix else _AGAIN
                raise TunnelError(error.what, why=error.why or have, fix=fix) from None


def _take(place: Place, item: Item, sending: Sending | Missing, tally: Tally) -> None:
    if isinstance(sending, Absent):
        tally.vanished.append(item)
        return
    if not isinstance(sending, Sending):
        tally.lost(item, sending.why)
        return
    counted = sending._replace(pieces=tally.counted(item, sending))
    try:
        place.put(item.target, counted, item.local)
    except (FullDiskError, UnusableFolderError, TunnelError):
        raise
    except MlqError as error:
        for _ in sending.pieces:  # the reply of a remote reader must be read to its end
            continue
        tally.lost(item, str(error).split("\n", 1)[0])
        return
    tally.done(item, sending.size)
    if not sending.is_same():
        tally.changing.append(item)
