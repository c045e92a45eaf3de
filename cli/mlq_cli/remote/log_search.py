"""Finds the last rows of a log, and the rows that match, in a log of many gigabytes.

It works on the file itself, from its end where that is enough, so that a log is searched where it
lies: this file also travels to the queue's host (`mlq_cli.remote.far_reader`).
"""

from __future__ import annotations

import os
import re
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from mlq_cli.render.rows import Rows, without_colours

PIECE_BYTES = 1 << 18
LONGEST_ROW = 1 << 22
"""A row is taken to begin at most so many bytes before its end: a bar may have no newline."""

_SEARCHED_BYTES = 1 << 23
_ENDS = re.compile(rb"\n|\x1b\[(\d{0,2})A")


def begin_of_last(opened: int, size: int, rows: int) -> int:
    """Return the offset at which the last rows begin, read from the end.

    What moves up again begins no row: nested bars do that. Rows that were changed from further
    below make more than so many.
    """
    left, end, row_end = rows, size, size
    if size and os.pread(opened, 1, size - 1) == b"\n":
        end = row_end = size - 1
    while end > 0:
        begin = max(0, end - PIECE_BYTES)
        piece = os.pread(opened, end - begin, begin)
        for found in reversed(list(_ENDS.finditer(piece))):
            if found[0] != b"\n":
                left += int(found[1] or 1)
                continue
            left, row_end = left - 1, begin + found.start()
            if left == 0:
                return row_end + 1
        if row_end - begin > LONGEST_ROW:
            return begin
        end = begin
    return 0


def begin_of_row(opened: int, offset: int) -> int:
    """Return where the row that an offset is in begins; the offset itself if that is far away."""
    begin = max(0, offset - PIECE_BYTES)
    found = os.pread(opened, offset - begin, begin).rfind(b"\n")
    return begin + found + 1 if found >= 0 else begin if begin == 0 else offset


def behind_newline(opened: int, size: int) -> int:
    """Return the offset behind the last newline; of a row without end, one within it."""
    end = size
    while end > 0 and size - end < LONGEST_ROW:
        begin = max(0, end - PIECE_BYTES)
        found = os.pread(opened, end - begin, begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        end = begin
    return end


def matches(opened: int, begin: int, end: int, pattern: re.Pattern[str]) -> Iterator[bytes]:
    """Yield the rows between two offsets that match, many at once."""
    rows = Rows()
    while begin < end and (piece := os.pread(opened, min(PIECE_BYTES, end - begin), begin)):
        begin += len(piece)
        if found := _matching(rows.feed(piece), pattern):
            yield found
    if found := _matching(rows.finish(), pattern):
        yield found


def _matching(text: str, pattern: re.Pattern[str]) -> bytes:
    lines = text.split("\n")
    found = [line for line in lines if line and pattern.search(without_colours(line))]
    return "".join(f"{line}\n" for line in found).encode()


def last_matches(
    opened: int, begin: int, end: int, pattern: re.Pattern[str], rows: int
) -> Iterator[bytes]:
    """Yield the last rows that match, looked for from the end."""
    found: list[bytes] = []
    while begin < end and len(found) < rows:
        start = max(begin, end - _SEARCHED_BYTES)
        if start > begin:
            newline = os.pread(opened, PIECE_BYTES, start - 1).find(b"\n")
            start += max(0, newline)  # a row longer than that is cut
        lines = b"".join(matches(opened, start, end, pattern)).splitlines(keepends=True)
        found, end = lines + found, start
    yield b"".join(found[-rows:])


@contextmanager
def ended_with(requests: BinaryIO) -> Iterator[None]:
    """End this process when its client is gone: a regular expression may take for ever.

    Python looks for signals while it matches, and runs nothing else.
    """

    def look(*_: object) -> None:
        if poll.poll(0):
            os._exit(1)

    poll = select.poll()
    with suppress(OSError):  # no file: a test serves from memory
        poll.register(requests.fileno(), select.POLLHUP | select.POLLERR | select.POLLRDHUP)
    before = signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, 1, 1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
