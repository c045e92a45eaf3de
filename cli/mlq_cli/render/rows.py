"""A log as the rows of text that a terminal would show, each in its final state.

A progress bar returns to the start of its row and writes over it; nested bars also move up. So a
log that was written with bars has thousands of states of few rows. `Rows` plays the log to its last
rows, which may still change; a row that has left them is final. What a terminal would do besides
(move the window, clear the screen, rename the window) does not happen: of all escape sequences only
colours remain, and rows end any colour that they begin.

A log comes in pieces of any size, and an escape sequence may be cut anywhere; the rows do not
depend on the cuts. This file also travels to the queue's host (`mlq_cli.remote.far_reader`): it
uses the standard library and `mlq_cli.render.clean` only.
"""

from __future__ import annotations

import codecs
import re

from mlq_cli.render.clean import SEQUENCE

SCREEN = 60
"""How many rows may be changed at most: those of a large terminal."""

LONGEST = 1 << 16
"""A row of more characters is final at once, in parts: a log may have no newline at all."""

RESET = "\x1b[0m"

# Characters that are never shown; among them those that reverse the direction of text.
_LOST = "\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069"
_SGR = r"\x1b\[[0-9;:]{0,64}m"
_CONTROL = re.compile(f"[{_LOST}]")
_NOT_RETURN = re.compile(f"[{_LOST}]".replace("\x0b-\x1f", "\x0b\x0c\x0e-\x1f"))
_TOKEN = re.compile(
    rf"(?P<text>[^{_LOST}]+)|(?P<colour>{_SGR})|(?P<move>[\r\x08])"
    rf"|\x1b\[(?P<count>[0-9]{{0,4}})(?P<do>[A-GJK])|{SEQUENCE}|.",
    re.DOTALL,
)
_COLOUR = re.compile(_SGR)
_RESETS = re.compile(r"\x1b\[0*(?:;|m)")
_MOST_COLOUR = 256
_UNFINISHED = re.compile(
    r"\x1b(?:\[[0-?]{0,64}[ -/]{0,8}|[ -/]{1,8}|[\]PX^_][^\x07\x1b\n\x9c]{0,4096}\x1b?)?\Z"
)
_LONGEST_SEQUENCE = 4200


def without_colours(text: str) -> str:
    """Return the text of rows without their colours."""
    return _COLOUR.sub("", text) if "\x1b" in text else text


class _Row:
    """A row that may still change: its characters, and the colours of each if it has any."""

    __slots__ = ("colours", "is_rewritten", "is_unknown", "text")

    def __init__(self, *, is_unknown: bool = False) -> None:
        self.text, self.is_rewritten, self.is_unknown = "", False, is_unknown
        self.colours: list[str] | None = None

    def put(self, at: int, text: str, colour: str) -> None:
        """Write text over the row from a column on."""
        self.erase(at, at + len(text), text)
        if colour and self.colours is None:
            self.colours = [""] * len(self.text)
        if self.colours is not None:
            self.colours[at : at + len(text)] = [colour] * len(text)

    def erase(self, begin: int, end: int, by: str = "") -> None:
        """Replace the columns from `begin` to `end`; by default the row ends at `begin`."""
        missing = begin - len(self.text)
        if missing > 0:
            self.text += " " * missing
            if self.colours is not None:
                self.colours += [""] * missing
        self.is_rewritten = self.is_rewritten or begin < len(self.text)
        self.text = self.text[:begin] + by + self.text[end:]
        if self.colours is not None and not by:
            del self.colours[begin:end]

    def painted(self) -> str:
        """Return the row with its colours."""
        # A bar blanks what it no longer needs.
        text = self.text.rstrip(" ") if self.is_rewritten else self.text
        if self.colours is None:
            return text
        parts, begun, last = [], 0, ""
        for at, colour in enumerate(self.colours[: len(text)]):
            if colour != last:
                parts += [text[begun:at], RESET if last else "", colour]
                begun, last = at, colour
        return "".join([*parts, text[begun:], RESET if last else ""])


class Rows:
    """Plays a log, piece by piece.

    Args:
        most: how many rows may still change at first. A log that moves up makes them more, up to
            `SCREEN`. A reader that follows a log wants few, since it sees only what is final.
    """

    def __init__(self, most: int = SCREEN) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._unread = ""
        self._rows, self._at, self._column = [_Row()], 0, 0
        self._colour, self._most = "", most

    def feed(self, piece: bytes) -> str:
        """Take a piece; return the rows that are final now, each with a newline.

        Of a row that is too long, the text returned has a part without one.
        """
        if b"\0" in piece:  # gigabytes of them stand where a file has a hole
            piece = piece.translate(None, b"\0")
        text = self._unread + self._decoder.decode(piece)
        unfinished = _UNFINISHED.search(text, max(0, len(text) - _LONGEST_SEQUENCE))
        end = unfinished.start() if unfinished else len(text)
        self._unread = text[end:]
        return self._played(text[:end])

    def finish(self) -> str:
        """Return the rest; it ends with a newline if the log does."""
        done = self._played(self._unread + self._decoder.decode(b"", final=True))
        return done + "\n".join(self.changing())

    def changing(self) -> list[str]:
        """Return the rows that may still change."""
        shown = [row.painted() for row in self._rows if row.text or not row.is_unknown]
        return shown or [""]

    def _played(self, text: str) -> str:
        parts: list[str] = []
        if not self._is_plain(text):
            for number, line in enumerate(text.split("\n")):
                if number:
                    self._new_line()
                if line:
                    self._line(line, parts)
        else:
            parts.append(self._plain(text))
        parts += self._final(self._most)
        return "".join(parts)

    def _is_plain(self, text: str) -> bool:
        """Return whether a text only goes on behind what there is, as nearly all do."""
        row = self._rows[-1]
        at_end = self._at == len(self._rows) - 1 and self._column == len(row.text)
        return at_end and not self._colour and not _CONTROL.search(text)

    def _plain(self, text: str) -> str:
        """Append plain text quickly; return the lines that are final by it."""
        lines = text.rsplit("\n", self._most)
        final = ""
        if len(lines) > self._most:
            final = "".join(self._final(0)) + self._rows[-1].painted() + lines[0] + "\n"
            self._rows, lines = [_Row()], lines[1:]
            self._at = self._column = 0
        parts = [final]
        for number, line in enumerate(lines):
            if number:
                self._new_line()
            self._put(line, parts)
        return "".join(parts)

    def _line(self, line: str, parts: list[str]) -> None:
        """Play a line, without its newline."""
        if "\r" in line and not _NOT_RETURN.search(line):
            line = _shortened(line)
        for token in _TOKEN.finditer(line):
            if token["text"]:
                self._put(token["text"], parts)
            elif token["colour"]:
                self._change_colour(token["colour"])
            elif token["move"]:
                self._column = 0 if token["move"] == "\r" else max(0, self._column - 1)
            elif token["do"]:
                self._do(token["do"], token["count"])

    def _put(self, text: str, parts: list[str]) -> None:
        row = self._rows[self._at]
        row.put(self._column, text, self._colour)
        self._column += len(text)
        if len(row.text) > LONGEST:
            parts += [*self._final(0, self._at), row.painted()]
            self._rows[0] = _Row()
            self._column = 0

    def _change_colour(self, sequence: str) -> None:
        is_new = _RESETS.match(sequence) or len(self._colour) > _MOST_COLOUR
        self._colour = sequence if is_new else self._colour + sequence
        if _RESETS.fullmatch(sequence):
            self._colour = ""

    def _do(self, what: str, count: str) -> None:
        """Do what a control sequence asks for: move the cursor, or erase."""
        number = int(count or "0")
        steps = max(1, number)
        if what in "AF":
            self._move_up(steps)
            self._most = max(self._most, min(SCREEN, max(len(self._rows) - self._at, 1 + steps)))
        elif what in "BE":
            self._at = min(len(self._rows) - 1, self._at + steps)
        elif what == "C":
            self._column = min(LONGEST, self._column + steps)
        elif what == "D":
            self._column = max(0, self._column - steps)
        elif what == "G":
            self._column = min(LONGEST, steps - 1)
        else:
            self._erase(what, number)
        if what in "EF":
            self._column = 0

    def _move_up(self, steps: int) -> None:
        """Move up; rows above the first are there, too, but what they show is known no more."""
        unknown = min(steps - self._at, SCREEN - len(self._rows))
        if unknown > 0:
            self._rows[:0] = [_Row(is_unknown=True) for _ in range(unknown)]
            self._at += unknown
        self._at = max(0, len(self._rows) - SCREEN, self._at - steps)

    def _erase(self, what: str, number: int) -> None:
        row = self._rows[self._at]
        column = min(self._column, len(row.text))
        if what == "K" and number in (1, 2):
            row.put(0, " " * min(column + 1, len(row.text)), "")  # the cursor's place too
        if number == 0 or (what == "K" and number == 2):
            row.erase(column, len(row.text))
        if what == "J" and number == 0:
            del self._rows[self._at + 1 :]

    def _new_line(self) -> None:
        self._at += 1
        self._column = 0
        if self._at == len(self._rows):
            self._rows.append(_Row())

    def _final(self, most: int, until: int | None = None) -> list[str]:
        """Take away rows that are final: all but the last `most`, and none from the cursor on."""
        count = min(len(self._rows) - max(1, most), self._at) if until is None else until
        if count <= 0:
            return []
        gone = self._rows[:count]
        done = [row.painted() + "\n" for row in gone if row.text or not row.is_unknown]
        del self._rows[:count]
        self._at -= count
        return done


def _shortened(line: str) -> str:
    """Return a line that looks the same at its end without the states that others wrote over."""
    first, *states = line.split("\r")
    kept: list[str] = []
    longest = -1
    for state in reversed(states):
        if len(state) > longest:
            kept.append(state)
            longest = len(state)
    if len(kept) < len(states):
        # The cursor is behind the last state, and the row was written over, as it was.
        return "\r".join([first, *reversed(kept)])
    return line
