"""Makes text that comes from jobs safe to show on a terminal.

A job's name, command or reason is whatever its author wrote. An escape sequence in it could move
the cursor, rename the window or fake a line of a table. The same is true of machines, and of
everything in Redis. Such text must reach a terminal only through `clean` (one line of text) or
`LogCleaner` (a stream, in which colours may stay). Code that renders a text cleans it, since it
needs its width; code that prints a line cleans it once more.

A log comes in pieces of any size, and an escape sequence may be cut anywhere; the text shown does
not depend on the cuts.
"""

from __future__ import annotations

import codecs
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


# What is removed: every sequence except colours (SGR, kept as group 1), every other control
# character except newline, return and tab, and the characters that reverse the direction of text.
_SGR = r"\x1b\[[0-9;:]{0,64}m"
_LOST = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
_IN_LOG = re.compile(f"({_SGR})|{SEQUENCE}|{_LOST}")
_UNFINISHED = re.compile(
    r"\x1b(?:\[[0-?]{0,64}[ -/]{0,8}|[ -/]{1,8}|[\]PX^_][^\x07\x1b\n\x9c]{0,4096}\x1b?)?\Z"
)
_LONGEST = 4200

RESET = "\x1b[0m"


class LogCleaner:
    """Cleans a log piece by piece; the result does not depend on how the log is cut."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""
        self._coloured = False

    def feed(self, piece: bytes) -> str:
        """Take a piece, and return the text that can now be shown."""
        text = self._held + self._decoder.decode(piece)
        unfinished = _UNFINISHED.search(text, max(0, len(text) - _LONGEST))
        end = unfinished.start() if unfinished else len(text)
        self._held = text[end:]
        return self._cleaned(text[:end])

    def finish(self) -> str:
        """Return the rest, and the end of any colour."""
        rest = self._cleaned(self._held + self._decoder.decode(b"", final=True))
        self._held = ""
        return rest + RESET if self._coloured else rest

    def _cleaned(self, text: str) -> str:
        shown = _IN_LOG.sub(lambda found: found[1] or "", text)
        self._coloured = self._coloured or "\x1b" in shown
        return shown
