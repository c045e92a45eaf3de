"""The macros of a submit file: `name = value`, and `$(name)` in other values.

A value is expanded when a job is made of it, so it may name macros that are set further down or by
`queue`. Only a macro that names itself is expanded at once: `args = $(args) -v`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from mlq.errors import InvalidInputError
from mlq.scripts.condor.functions import Functions

_MOST_STEPS = 10_000
_LONGEST = 1 << 20
# The innermost: it has no other within it.
_INNERMOST = re.compile(r"(\$?)\$(\w*)\(((?:[^()$]|\$(?![\w]*\())*)\)", re.ASCII)
_NAME = re.compile(r"\s*([\w.]+)\s*(?::(.*))?", re.ASCII | re.DOTALL)
# In the place of what must not be expanded (again), while a value is expanded.
_DOLLAR, _OPEN = "\ufdd2", "\ufdd3"


class Macros:
    """The macros set so far.

    Args:
        functions: that values may call.
    """

    def __init__(self, functions: Functions) -> None:
        self._functions = functions
        self._set: dict[str, str] = {}
        self.used: set[str] = set()
        self.undefined: dict[str, None] = {}

    def define(self, name: str, value: str) -> None:
        """Set a macro."""
        lower = name.lower()
        itself = re.compile(rf"\$\({re.escape(name)}\)", re.IGNORECASE)
        self._set[lower] = itself.sub(lambda _: self._set.get(lower, ""), value)

    def raw(self, name: str) -> str | None:
        """Return the value of a macro as it was written; None if there is none."""
        return self._set.get(name.lower())

    def value(self, name: str, live: Mapping[str, str]) -> str | None:
        """Return the expanded value of a macro; None if it is not set."""
        raw = self.raw(name)
        return None if raw is None else self.expand(raw, live)

    def expand(self, text: str, live: Mapping[str, str]) -> str:
        """Return a text with its macros and functions replaced.

        Args:
            text: the text.
            live: what `queue` sets, by names in lower case; it comes before what the file sets.

        Raises:
            InvalidInputError: a macro contains itself, or a function cannot be computed.
        """
        for _ in range(_MOST_STEPS):
            match = _INNERMOST.search(text)
            if match is None:
                return text.replace(_DOLLAR, "$").replace(_OPEN, "(")
            text = text[: match.start()] + self._replaced(match, live) + text[match.end() :]
            if len(text) > _LONGEST:
                break
        raise InvalidInputError("the macros never end", why="one of them contains itself")

    def _replaced(self, match: re.Match[str], live: Mapping[str, str]) -> str:
        doubled, function, inner = match.groups()
        if doubled:
            why = "it stands for what HTCondor's machine says of itself"
            raise InvalidInputError(f"{match[0]} cannot be filled in", why=why)
        if function:
            found = self._functions.call(function, inner, lambda name: self._look(name, live))
        else:
            found = self._macro(inner, live)
        if found is None:
            return match[0].replace("$", _DOLLAR).replace("(", _OPEN)
        return found

    def _macro(self, inner: str, live: Mapping[str, str]) -> str | None:
        match = _NAME.fullmatch(inner)
        if match is None:
            return None
        name = match[1].lower()
        self.used.add(name)
        if name == "dollar":
            return _DOLLAR
        if name in live:
            return live[name].replace("$", _DOLLAR)
        if name in self._set:
            return self._set[name]
        if match[2] is None:
            self.undefined[match[1]] = None
        return match[2] or ""

    def _look(self, name: str, live: Mapping[str, str]) -> str | None:
        lower = name.lower()
        self.used.add(lower)
        return live[lower] if lower in live else self.value(name, live)
