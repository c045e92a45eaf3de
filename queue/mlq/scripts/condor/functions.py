"""The functions that a submit file may call in a value: `$INT(Process,%03d)`, `$CHOICE(1,a,b)`.

An argument is the name of a macro, or stands for itself if there is none of that name.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping

from mlq.errors import InvalidInputError
from mlq.scripts.condor.arithmetic import number
from mlq.scripts.condor.paths import path_part
from mlq.scripts.number_mark import NUMBER

Look = Callable[[str], str | None]
"""Returns the expanded value of a macro; None if there is none of that name."""

_PATH = re.compile(r"F[a-z]*", re.IGNORECASE)
_FORMAT = re.compile(r"[^%]*%[-+ 0]?[-+ 0]?\d{0,2}(?:\.\d{1,2})?[dixXofeEgG][^%]*", re.ASCII)
_RANDOM = ("RANDOM_CHOICE", "RANDOM_INTEGER")


class Functions:
    """What functions may look at.

    Args:
        environ: the submitter's variables.
        folder: where relative paths begin.
    """

    def __init__(self, environ: Mapping[str, str], folder: str) -> None:
        self._environ, self._folder = environ, folder

    def call(self, name: str, argument: str, look: Look) -> str | None:
        """Return what a function gives; None if there is no such function.

        Raises:
            InvalidInputError: it cannot be computed.
        """
        upper = name.upper()
        if _PATH.fullmatch(name):
            return path_part(name[1:], _looked_up(argument, look), self._folder)
        if upper in _RANDOM:
            why = "a file must mean the same whenever it is read"
            raise InvalidInputError(f"${name}() is not done", why=why)
        if upper == "ENV":
            return self._env(argument)
        known: dict[str, Callable[[str, Look], str]] = {
            "INT": _int,
            "REAL": _real,
            "EVAL": _real,
            "STRING": _string,
            "CHOICE": _choice,
            "SUBSTR": _substr,
            "BASENAME": _basename,
            "DIRNAME": lambda text, look: path_part("p", _looked_up(text, look), ""),
        }
        return known[upper](argument, look) if upper in known else None

    def _env(self, argument: str) -> str:
        name, has_default, default = argument.partition(":")
        return self._environ.get(name.strip(), default if has_default else "UNDEFINED")


def _looked_up(text: str, look: Look) -> str:
    found = look(text.strip())
    return text.strip() if found is None else found


def _int(argument: str, look: Look) -> str:
    name, _, form = argument.partition(",")
    text = _looked_up(name, look)
    if text == NUMBER and not form:
        return text
    value = int(number(text))
    return _formatted(value, form) if form else str(value)


def _real(argument: str, look: Look) -> str:
    name, _, form = argument.partition(",")
    value = number(_looked_up(name, look))
    return _formatted(value, form) if form else f"{value:.15g}"


def _formatted(value: float, form: str) -> str:
    if _FORMAT.fullmatch(form) is None:
        raise InvalidInputError(f"{form!r} is no format of a number", fix="write for example %03d")
    return str(form % value)


def _string(argument: str, look: Look) -> str:
    return _looked_up(argument, look).strip('"')


def _choice(argument: str, look: Look) -> str:
    first, *words = [one.strip() for one in argument.split(",")]
    if len(words) == 1:
        listed = look(words[0])
        words = [one.strip() for one in listed.split(",")] if listed is not None else words
    index = int(number(_looked_up(first, look)))
    if not 0 <= index < len(words):
        raise InvalidInputError(f"$CHOICE({argument}) has no item {index}")
    return words[index]


def _substr(argument: str, look: Look) -> str:
    name, *numbers = argument.split(",")
    text = _looked_up(name, look)
    start = int(number(numbers[0])) if numbers else 0
    text = text[start:] if start >= 0 else text[max(0, len(text) + start) :]
    if len(numbers) > 1:
        length = int(number(numbers[1]))
        text = text[:length]
    return text


def _basename(argument: str, look: Look) -> str:
    name, _, suffix = argument.partition(",")
    return posixpath.basename(_looked_up(name, look)).removesuffix(suffix.strip())
