"""The `if` lines of a submit file: which of the lines between them count."""

from __future__ import annotations

import re
from collections.abc import Callable

from mlq.errors import InvalidInputError
from mlq.scripts.condor.arithmetic import number

VERSION = (24, 12, 24)
"""The HTCondor whose rules are followed."""

_WORDS = {"true": True, "yes": True, "t": True, "false": False, "no": False, "f": False, "": False}
_VERSION = re.compile(r"version\s*(==|!=|<=|>=|<|>)\s*(\d+(?:\.\d+){1,2})", re.IGNORECASE)
_FORMS = "take if true, if defined NAME, if version >= 24.0.0, each with a ! before it"


class Conditions:
    """Knows, line by line, whether lines count.

    Args:
        expand: replaces macros.
        is_defined: tells whether a macro is set.
    """

    def __init__(self, expand: Callable[[str], str], is_defined: Callable[[str], bool]) -> None:
        self._expand, self._is_defined = expand, is_defined
        # Of each open if: whether its present branch counts, and whether one has counted.
        self._open: list[tuple[bool, bool]] = []

    @property
    def counts(self) -> bool:
        """Whether the present line counts."""
        return all(now for now, _ in self._open)

    @property
    def is_open(self) -> bool:
        """Whether an `if` has no `endif` yet."""
        return bool(self._open)

    def take(self, line: str) -> bool:
        """Return whether a line is part of an `if`; if so, remember what it says.

        Raises:
            InvalidInputError: it has no `if` before it, or cannot be judged.
        """
        word, _, rest = line.partition(" ")
        word = word.lower()
        if word == "if":
            outer = self.counts
            holds = outer and self._holds(rest)
            self._open.append((holds, holds or not outer))
        elif word in ("elif", "else", "endif"):
            if not self._open:
                raise InvalidInputError(f"{word} has no if before it")
            _, was = self._open.pop()
            if word == "elif":
                holds = not was and self._holds(rest)
                self._open.append((holds, was or holds))
            elif word == "else":
                self._open.append((not was, True))
        else:
            return False
        return True

    def _holds(self, text: str) -> bool:
        text = text.strip()
        if text.startswith("!"):
            return not self._holds(text[1:])
        if text.lower().startswith("defined"):
            name = text[len("defined") :].strip()
            return bool(self._expand(name)) if "$" in name else self._is_defined(name)
        text = self._expand(text).strip()
        version = _VERSION.fullmatch(text)
        if version:
            return _compares(version[1], tuple(int(part) for part in version[2].split(".")))
        if text.lower() in _WORDS:
            return _WORDS[text.lower()]
        try:
            return bool(number(text))
        except InvalidInputError:
            what = f"the condition {text!r} cannot be judged"
            raise InvalidInputError(what, fix=_FORMS) from None


def _compares(sign: str, other: tuple[int, ...]) -> bool:
    here = VERSION[: len(other)]
    return {
        "==": here == other,
        "!=": here != other,
        "<": here < other,
        "<=": here <= other,
        ">": here > other,
        ">=": here >= other,
    }[sign]
