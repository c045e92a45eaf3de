"""How far a log was read, and whether it still is the log that was read.

A job that says `echo x > /dev/stderr` empties its own log: standard error is that file, and the
shell opens it anew and cuts it off. A reader that goes on at the old offset shows nothing, or the
middle of a line. So the last bytes that were shown are read again each time, and compared.
"""

from __future__ import annotations

from collections.abc import Iterator

_TAIL_BYTES = 64

EMPTIED = (
    "its log was emptied; what was in it is only above"
    " (the job's `> /dev/stderr` does that, `>&2` does not)"
)


class Mark:
    """A place in a log."""

    def __init__(self) -> None:
        self.offset = 0
        self._tail = b""

    @property
    def look_from(self) -> int:
        """From where to read."""
        return self.offset - len(self._tail)

    def add(self, piece: bytes) -> None:
        """Go on behind the next piece."""
        self.offset += len(piece)
        self._tail = (self._tail + piece[-_TAIL_BYTES:])[-_TAIL_BYTES:]

    def new_part(self, pieces: Iterator[bytes]) -> bytes | None:
        """Return what comes first behind the mark; None if that is another log by now.

        Args:
            pieces: of the log from `look_from` on; an empty one, or none, is its end.
        """
        start = b""
        while len(start) < len(self._tail) and (piece := next(pieces, b"")):
            start += piece
        return start[len(self._tail) :] if start.startswith(self._tail) else None
