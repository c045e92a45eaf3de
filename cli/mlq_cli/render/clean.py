"""Makes text that comes from jobs safe to show on a terminal.

A job's name, command or reason is whatever its author wrote. An escape sequence in it could move
the cursor, rename the window or fake a line of a table. The same is true of machines, and of
everything in Redis. Such text must reach a terminal only through `clean` (one line of text) or
`mlq_cli.render.rows` (a log, in which colours may stay). Code that renders a text cleans it, since
it needs its width; code that prints a line cleans it once more.
"""

from __future__ import annotations

import re

from mlq_cli.render.style import COLOURS

# Escape sequences by ECMA-48: control sequences (CSI), strings (OSC, DCS, PM, APC, SOS) with their
# terminator, and the short ones. An unterminated string ends at its line, or after 4096
# characters, so that it cannot swallow the rest of a log.
SEQUENCE = (
    r"\x1b\[[0-?]*[ -/]*[@-~]"
    r"|\x1b[\]PX^_][^\x07\x1b\n\x9c]{0,4096}(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]"
)


def clean(text: str) -> str:
    """Return the text as one printable line: no escape sequences, no control characters.

    White space of any kind becomes a space; what is not Unicode text becomes U+FFFD.
    """
    if text.isprintable():
        return text
    without = re.sub(SEQUENCE, "", text)  # compiled here, not at import: it is rarely needed
    return "".join(character for raw in without if (character := _printable(raw)))


def clean_painted(line: str) -> str:
    """Return a line in which the only control characters are the colours of `Style`."""
    if line.isprintable():
        return line
    parts = re.split(f"({'|'.join(map(re.escape, COLOURS))})", line)
    return "".join(part if at % 2 else clean(part) for at, part in enumerate(parts))


def _printable(character: str) -> str:
    if character.isprintable():
        return character
    if character.isspace():
        return " "
    return "\N{REPLACEMENT CHARACTER}" if "\ud800" <= character <= "\udfff" else ""
