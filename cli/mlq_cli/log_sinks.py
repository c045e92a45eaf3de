"""The destinations of a log: a terminal, a pipe, or bytes as they were written.

A log becomes rows (`mlq_cli.render.rows`), so what a bar wrote over is gone. A pipe gets only rows
that are final, without colours; a terminal that follows a log sees the others change.
"""

from __future__ import annotations

import os
import re
import sys
from collections import deque
from collections.abc import Callable
from typing import BinaryIO, NamedTuple, Protocol, TextIO

from mlq_cli.render.live_rows import LiveRows
from mlq_cli.render.rows import SCREEN, Rows, without_colours
from mlq_cli.render.style import style_of

_AT_FIRST = 10  # rows that may change on a terminal, before the log moves further up


class Sink(Protocol):
    """The destination of a log."""

    def write(self, piece: bytes) -> None:
        """Take the next piece."""

    def finish(self) -> None:
        """Note that the log of this attempt has ended."""


class RawSink:
    """Writes a log unchanged."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, piece: bytes) -> None:
        """Take the next piece."""
        self._stream.write(piece)
        self._stream.flush()

    def finish(self) -> None:
        """Do nothing: this sink holds nothing back."""


class Wanted(NamedTuple):
    """What of a log is shown.

    Args:
        pattern: only the rows in which it is found.
        last: only so many rows, the last ones; 0 means all. A log that is followed has no last
        ones. prefix: stands before each row.
    """

    pattern: re.Pattern[str] | None = None
    last: int = 0
    prefix: str = ""


ALL = Wanted()


class RowSink:
    """Writes rows that are final.

    Args:
        write: takes text.
        colours: whether to keep the colours.
        follows: whether the log is shown as it grows; rows are then final sooner.
        wanted: which rows.
    """

    def __init__(
        self, write: Callable[[str], None], *, colours: bool, follows: bool, wanted: Wanted = ALL
    ) -> None:
        self._write, self._colours, self._wanted = write, colours, wanted
        self._most = 1 if follows else SCREEN
        self._rows = Rows(self._most)
        self._last: deque[str] = deque(maxlen=wanted.last)

    def write(self, piece: bytes) -> None:
        """Take the next piece."""
        self._show(self._rows.feed(piece))

    def finish(self) -> None:
        """Show what this sink has held back."""
        self._show(self._rows.finish())
        self._out("".join(self._last))
        self._last.clear()
        self._rows = Rows(self._most)

    def _show(self, text: str) -> None:
        self._out(text if self._wanted == ALL else self._chosen(text))

    def _out(self, text: str) -> None:
        if text:
            self._write(text if self._colours else without_colours(text))

    def _chosen(self, text: str) -> str:
        """Return the rows that are wanted now, each with its prefix and a newline."""
        rows = text.split("\n")
        if not rows[-1]:
            rows.pop()
        pattern, prefix = self._wanted.pattern, self._wanted.prefix
        if pattern is not None:
            rows = [row for row in rows if pattern.search(without_colours(row))]
        shown = [f"{prefix}{row}\n" for row in rows]
        if self._wanted.last:
            self._last.extend(shown)
            return ""
        return "".join(shown)


class LiveSink:
    """Follows a log on a terminal, where rows change as the log changes them.

    Args:
        write: takes text.
        colours: whether to keep the colours.
        size: tells the terminal's columns and lines.
    """

    def __init__(
        self, write: Callable[[str], None], size: Callable[[], tuple[int, int]], *, colours: bool
    ) -> None:
        self._write, self._size, self._colours = write, size, colours
        self._begin()

    def _begin(self) -> None:
        self._rows, self._live = Rows(_AT_FIRST), LiveRows()

    def write(self, piece: bytes) -> None:
        """Take the next piece."""
        final = self._rows.feed(piece)
        self._show(final, self._rows.changing())

    def finish(self) -> None:
        """Show what is held back of a sequence that has no end."""
        self._show("", self._rows.finish().split("\n"))
        self._begin()

    def _show(self, final: str, changing: list[str]) -> None:
        if not self._colours:
            final, changing = without_colours(final), [without_colours(row) for row in changing]
        self._write(self._live.update(final, changing, *self._size()))


def sink_for(
    stream: TextIO, *, follows: bool = False, raw: bool = False, wanted: Wanted = ALL
) -> Sink:
    """Return the sink that suits this stream.

    Args:
        stream: where the log goes.
        follows: whether it is shown as it grows.
        raw: whether it goes there as it was written.
        wanted: which rows.
    """
    if raw:
        return RawSink(stream.buffer)
    style = style_of(stream, os.environ)
    is_terminal = stream.isatty()
    # Whatever a job writes can be shown: what this terminal has no character for is a `?`.
    encoding = (stream.encoding if is_terminal else None) or "utf-8"

    def write(text: str) -> None:
        stream.buffer.write(text.encode(encoding, "replace"))
        stream.buffer.flush()

    if follows and is_terminal and wanted == ALL and os.environ.get("TERM") != "dumb":
        return LiveSink(write, lambda: _size(stream), colours=style.colour)
    return RowSink(write, colours=style.colour, follows=follows, wanted=wanted)


def _size(stream: TextIO) -> tuple[int, int]:
    columns, lines = os.get_terminal_size(stream.fileno())
    return columns or 80, lines or 24


def out_sink(*, follows: bool = False, raw: bool = False, wanted: Wanted = ALL) -> Sink:
    """Return the sink for standard output."""
    return sink_for(sys.stdout, follows=follows, raw=raw, wanted=wanted)
