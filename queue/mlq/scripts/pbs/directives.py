"""Finds the options in a PBS script's `#PBS` lines, as `qsub` reads them.

Several options may stand in one line, a value may follow its letter at once (`-lwalltime=1:00:00`)
and quotes protect spaces. Directives after the first command are comments to PBS; they are
returned apart, so that a user hears of them.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from mlq.scripts.script_mistake import mistake

PREFIX = "#PBS"

ALONE = frozenset("hIVXzfn")
"""The options without a value."""

_WORD = re.compile(r"""(?:[^\s"']|"[^"]*"|'[^']*')+""")
_QUOTED = re.compile(r""""([^"]*)"|'([^']*)'""")


class Option(NamedTuple):
    """An option as it stands in the file.

    Args:
        letter: with its hyphen: `-N`.
        value: without quotes.
        line: its number.
        raw: the value with the quotes within it.
    """

    letter: str
    value: str
    line: int
    raw: str = ""


class Directives(NamedTuple):
    """The options of a script, and the lines with directives that come too late."""

    options: tuple[Option, ...]
    late: tuple[int, ...]


def read_directives(text: str, file: str) -> Directives:
    """Return what a script asks for.

    Raises:
        InvalidInputError: a quote has no end, an option has no value, or a word is no option.
    """
    options: list[Option] = []
    late: list[int] = []
    is_running = False
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if _is_directive(stripped):
            if is_running:
                late.append(number)
            else:
                options += _options(stripped[len(PREFIX) :], file, number)
        elif stripped and not stripped.startswith(("#", ":")):
            is_running = True
    return Directives(tuple(options), tuple(late))


def _is_directive(line: str) -> bool:
    return line.startswith(PREFIX) and (len(line) == len(PREFIX) or not line[len(PREFIX)].isalnum())


def _options(text: str, file: str, line: int) -> list[Option]:
    found = []
    words = iter(_words(text, file, line))
    for word in words:
        if len(word) < 2 or word[0] != "-":
            raise mistake(file, line, f"{word!r} is no option of qsub", fix="options begin with -")
        letter, value = word[:2], word[2:]
        if letter[1] in ALONE:
            if value:
                raise mistake(file, line, f"{letter} takes no value, and {value!r} follows it")
        else:
            value = value or next(words, "")
            if not value:
                raise mistake(file, line, f"{letter} needs a value")
        found.append(Option(letter, _QUOTED.sub(_inner, value), line, _unwrapped(value)))
    return found


def _words(text: str, file: str, line: int) -> list[str]:
    words = []
    at = 0
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        if text[at] == "#":
            break
        match = _WORD.match(text, at)
        if match is None:
            raise mistake(file, line, "a quote has no end", why=text[at:].strip())
        words.append(match[0])
        if match.end() < len(text) and text[match.end()] in "\"'":
            raise mistake(file, line, "a quote has no end", why=text[match.end() :].strip())
        at = match.end()
    return words


def _inner(quoted: re.Match[str]) -> str:
    return quoted[1] or quoted[2] or ""


def _unwrapped(word: str) -> str:
    whole = _QUOTED.fullmatch(word)
    return word if whole is None else _inner(whole)
