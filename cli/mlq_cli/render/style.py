"""Finds what the terminal can show: its width, and whether to use colours.

Every function that renders gets a `Style`; only this module asks the terminal.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple, TextIO

_CODES = {
    "good": "32",
    "bad": "31",
    "busy": "36",
    "waiting": "33",
    "faint": "2",
    "strong": "1",
}
_KIND_OF_STATE = {
    "started": "busy",
    "queued": "waiting",
    "deferred": "faint",
    "held": "bad",
    "scheduled": "faint",
    "finished": "good",
    "failed": "bad",
    "canceled": "faint",
}


_PLAIN = "\x1b[0m"
COLOURS = (_PLAIN, *(f"\x1b[{code}m" for code in _CODES.values()))


class Style(NamedTuple):
    """How to render.

    Args:
        width: columns of the terminal, or the value of COLUMNS for a pipe or a file; None: shorten
            nothing.
        colour: whether to use colours.
    """

    width: int | None = None
    colour: bool = False

    def paint(self, text: str, kind: str) -> str:
        """Return the text in the colour of this kind ("" is plain)."""
        return f"\x1b[{_CODES[kind]}m{text}{_PLAIN}" if self.colour and kind else text


def style_of(stream: TextIO, environ: Mapping[str, str]) -> Style:
    """Return the style that suits this stream.

    Lines are also shortened for a pipe whose reader sets COLUMNS, as `watch` does. Colours are used
    only on a terminal that is not dumb, and never with NO_COLOR (https://no-color.org).
    """
    if not stream.isatty():
        return Style(_told_columns(environ))
    colour = not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
    return Style(_columns(stream, environ), colour)


def kind_of(state: str) -> str:
    """Return the kind of colour for a job's state."""
    return _KIND_OF_STATE.get(state, "")


def _columns(stream: TextIO, environ: Mapping[str, str]) -> int:
    told = _told_columns(environ)
    if told is not None:
        return told
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def _told_columns(environ: Mapping[str, str]) -> int | None:
    told = environ.get("COLUMNS", "")
    return int(told) if told.isascii() and told.isdigit() and int(told[:9]) > 0 else None
