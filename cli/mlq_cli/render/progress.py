"""Draws a block of lines at the foot of a terminal, redraws it, and finally clears it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import TextIO

from mlq_cli.render.clean import clean
from mlq_cli.render.table import columns_of, shorten

_UP_AND_CLEAR = "\x1b[{lines}F\x1b[J"


def block(doing: Mapping[str, str], columns: int, rows: int) -> list[str]:
    """Return a line for each name, as many as fit.

    Args:
        doing: name -> what it does now.
        columns: width of the terminal.
        rows: height of the terminal.
    """
    names = {name: clean(name) for name in doing}
    width = max((columns_of(name) for name in names.values()), default=0)
    lines = []
    for name, text in doing.items():
        pad = " " * (width - columns_of(names[name]))
        lines.append(shorten(f"{names[name]}{pad}  {clean(text)}", columns - 1))
    most = max(1, rows - 2)
    if len(lines) <= most:
        return lines
    return [*lines[: most - 1], f"and {len(lines) - most + 1} more"]


class Progress:
    """Shows on a terminal what is going on; shows nothing elsewhere.

    Args:
        stream: the terminal; standard error, since this is not a result.
    """

    def __init__(self, stream: TextIO = sys.stderr) -> None:
        self._stream = stream
        self._shown: Sequence[str] = ()
        self._wanted = stream.isatty()

    def __enter__(self) -> Progress:
        """Begin, and show nothing yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Clear the block."""
        self._draw(())

    def show(self, doing: Mapping[str, str]) -> None:
        """Replace the block by this one."""
        if self._wanted:
            size = shutil.get_terminal_size()
            self._draw(block(doing, size.columns, size.lines))

    def _draw(self, lines: Sequence[str]) -> None:
        if list(lines) == list(self._shown):
            return
        up = _UP_AND_CLEAR.format(lines=len(self._shown)) if self._shown else ""
        self._stream.write(up + "".join(f"{line}\n" for line in lines))
        self._stream.flush()
        self._shown = tuple(lines)
