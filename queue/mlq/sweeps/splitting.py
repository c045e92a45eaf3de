r"""Splits a text of values at commas, but not in brackets or quotes.

`\,` is a comma. Everything else stays as typed, quotes and brackets included: Hydra and similar
programs need them. A bracket or quote that is never closed is an ordinary character: `it's`.
"""

from __future__ import annotations

import re
from collections.abc import Collection

_OPEN = {"(": ")", "[": "]", "{": "}"}
_CLOSE = frozenset(_OPEN.values())
_SPECIAL = re.compile(r"[()\[\]{}'\"\\]")
_BEFORE_A_QUOTE = frozenset(",([{ =:")


def split(text: str) -> list[str]:
    r"""Return the parts between top-level commas, each without space around it; `\,` stays."""
    if not _SPECIAL.search(text):
        return [part.strip() for part in text.split(",")]
    parts, begin, at = [], 0, 0
    closed_by = _closed_by(text)
    while at < len(text):
        if text[at] == "\\" and text[at + 1 : at + 2] == ",":
            at += 1
        elif text[at] == ",":
            parts.append(text[begin:at])
            begin = at + 1
        at = closed_by.get(at, at) + 1
    return [part.strip() for part in [*parts, text[begin:]]]


def plain(part: str) -> str:
    r"""Return one value as the job gets it: `\,` outside of brackets and quotes is a comma."""
    if "\\," not in part:
        return part
    found, begin, at = [], 0, 0
    closed_by = _closed_by(part)
    while at < len(part):
        if part.startswith("\\,", at):
            found.append(part[begin:at])
            begin = at = at + 1
        at = closed_by.get(at, at) + 1
    return "".join([*found, part[begin:]])


def escaped(value: str) -> str:
    r"""Return a value so that `split` and `plain` give it back, if it needs no space around it."""
    found, at = [], 0
    closed_by = _closed_by(value)
    while at < len(value):
        if value[at] == ",":
            found.append("\\")
        end = closed_by.get(at, at) + 1
        found.append(value[at:end])
        at = end
    return "".join(found)


def call(part: str) -> tuple[str, str] | None:
    """Return name and arguments of what looks like a call, `range(1,5)`, else None."""
    match = re.match(r"([A-Za-z_]\w*)\(", part, re.ASCII)
    if not match or _closed_by(part).get(match.end() - 1) != len(part) - 1:
        return None
    return match[1], part[match.end() : -1]


def is_unclosed(part: str, functions: Collection[str]) -> bool:
    """Return whether a part begins as a call of one of these functions that never ends."""
    name, bracket, _ = part.partition("(")
    return bool(bracket) and name in functions and len(name) not in _closed_by(part)


def _closed_by(text: str) -> dict[int, int]:
    """Return for each bracket or quote that opens at top level where it is closed."""
    found: dict[int, int] = {}
    opened: list[int] = []
    unclosed: set[str] = set()
    at = 0
    while at < len(text):
        character = text[at]
        if character == "\\":
            at += 1
        elif character in {"'", '"'}:
            if character not in unclosed and (not at or text[at - 1] in _BEFORE_A_QUOTE):
                end = text.find(character, at + 1)
                if end < 0:
                    unclosed.add(character)
                else:
                    found[at] = end
                    at = end
        elif character in _OPEN:
            opened.append(at)
        elif character in _CLOSE and opened and _OPEN[text[opened[-1]]] == character:
            found[opened.pop()] = at
        at += 1
    return found
