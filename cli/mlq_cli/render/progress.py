"""A block of lines at the foot of a terminal that is drawn again and again, and then goes away."""

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
        columns: of the terminal.
        rows: of the terminal.
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
    """Shows what is going on, on a terminal; elsewhere nothing.

    Args:
        stream: where; standard error, since it is no result.
    """

    def __init__(self, stream: TextIO = sys.stderr) -> None:
        self._stream = stream
        self._shown: Sequence[str] = ()
        self._wanted = stream.isatty()

    def __enter__(self) -> Progress:
        """Begin; nothing is shown yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Take it away."""
        self._draw(())

    def show(self, doing: Mapping[str, str]) -> None:
        """Show this instead of what is shown."""
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
