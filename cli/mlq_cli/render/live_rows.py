"""What to write to a terminal so that it shows rows that still change, such as progress bars.

Pure: it remembers what the terminal shows, and gets its size. What only goes on behind what is
there is written as it is, without moving the cursor, so a log without bars looks as if it was
copied.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from mlq_cli.render.rows import without_colours

_REDRAW = "\r\x1b[J"


class LiveRows:
    """The rows at the end of a terminal; the cursor is behind the last one."""

    def __init__(self) -> None:
        self._shown = [""]

    def update(self, final: str, changing: Sequence[str], columns: int, lines: int) -> str:
        """Return what to write.

        Args:
            final: rows that will not change again, each with its newline.
            changing: the rows after them; at least one.
            columns: of the terminal.
            lines: of the terminal.
        """
        wanted = [*final.split("\n")[:-1], *changing]
        at = _first_difference(self._shown, wanted)
        if len(wanted) < len(self._shown):
            at = min(at, len(wanted) - 1)  # the cursor must get behind the last row
        moves = self._back_to(at, wanted, columns, lines) if at < len(self._shown) else None
        self._shown, shown = list(changing), self._shown
        if moves is None:
            return "".join(f"\n{row}" for row in wanted[len(shown) :])
        if moves == "":  # the last row goes on
            return "\n".join([wanted[at][len(shown[at]) :], *wanted[at + 1 :]])
        return moves + "\n".join(wanted[at:])

    def _back_to(self, at: int, wanted: Sequence[str], columns: int, lines: int) -> str:
        """Return how the cursor gets to a row, and erases from there; "" if that is not needed."""
        if at == len(self._shown) - 1 and at < len(wanted):
            old, new = self._shown[at], wanted[at]
            if not old or (new.startswith(old) and "\x1b" not in new):
                return ""
        up = sum(_height(row, columns) for row in self._shown[at:]) - 1
        up = min(up, lines - 1)  # what has left the screen cannot be reached
        return (f"\x1b[{up}A" if up else "") + _REDRAW


def _first_difference(shown: Sequence[str], wanted: Sequence[str]) -> int:
    for at, (old, new) in enumerate(zip(shown, wanted, strict=False)):
        if old != new:
            return at
    return min(len(shown), len(wanted))


def _height(row: str, columns: int) -> int:
    """Return how many rows of the terminal a row takes."""
    text = without_colours(row)
    width = len(text.expandtabs()) if text.isascii() else sum(map(_width, text.expandtabs()))
    return max(1, -(-width // max(1, columns)))


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
