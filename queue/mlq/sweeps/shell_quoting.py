"""Quotes a value in the text of a shell so that it is one word, wherever its place is.

`shlex.quote` works only outside of quotes: within double quotes its quotes are ordinary characters,
and `$(...)` in a value would run. So the quotes around a place are closed and opened again. If the
text nests deeper than this module can follow, a value that needs quoting is refused.
"""

from __future__ import annotations

import re
import shlex
from typing import Literal

from mlq.errors import InvalidInputError
from mlq.sweeps.names import variable_of

Quoted = Literal["", "'", '"', "deep"]
"""How the shell reads a place: bare, in quotes, or in something nested in quotes."""

# Nothing in such a text means anything to a shell; those of shlex.quote, and not at the beginning
# of a word where a `~` or `-` would be read otherwise.
_HARMLESS = re.compile(r"[\w@%+=:,./-]*", re.ASCII)


def states(text: str) -> list[Quoted]:
    """Return for each character of a shell's text how the shell reads it."""
    found: list[Quoted] = []
    state: Quoted = ""
    escaped = False
    deep = "<<" in text or any(
        re.search(r"\$[({]|`", inside) for inside in re.findall(r'"((?:[^"\\]|\\.)*)"', text)
    )
    for character in text:
        found.append("deep" if deep else state)
        if escaped:
            escaped = False
        elif character == "\\" and state != "'":
            escaped = True
        elif character in {"'", '"'} and state in {"", character}:
            state = "" if state else ("'" if character == "'" else '"')
    return found


def quoted(name: str, value: str, place: Quoted) -> str:
    """Return a value quoted for such a place.

    Raises:
        InvalidInputError: it needs quotes, but quoting is impossible there.
    """
    if place == "":
        return shlex.quote(value)
    if _HARMLESS.fullmatch(value):
        return value
    if place == "deep":
        raise InvalidInputError(
            f"the value {value!r} of {name} cannot be quoted here",
            why="the command nests quotes, or has a here-document",
            fix=f'write "${variable_of(name)}" instead of {{{name}}}: the shell itself reads it',
        )
    return f"{place}{shlex.quote(value)}{place}"
