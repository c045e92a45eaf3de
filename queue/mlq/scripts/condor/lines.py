"""Splits a submit file into lines as HTCondor counts them: continued ones joined, comments gone."""

from __future__ import annotations

import re
from typing import NamedTuple

from mlq.scripts.script_mistake import mistake

_MANY = re.compile(r"([\w.+]+)\s*@=(\w+)\s*", re.ASCII)


class Line(NamedTuple):
    """A line, and where it begins in the file."""

    number: int
    text: str


def logical_lines(text: str, file: str) -> list[Line]:
    """Return the lines that say something.

    A value of many lines (`arguments @=end`, then lines, then `@end`) becomes one `name = value`.

    Raises:
        InvalidInputError: a value of many lines has no end.
    """
    found: list[Line] = []
    rest = iter(enumerate(text.replace("\r\n", "\n").split("\n"), 1))
    for number, first in rest:
        line = first.strip()
        if not line or line.startswith("#"):
            continue
        while line.endswith("\\"):
            _, more = next(rest, (0, ""))
            line = line[:-1] + more.strip()
        many = _MANY.fullmatch(line)
        if many:
            line = f"{many[1]} = {_until(f'@{many[2]}', rest, file, number)}"
        found.append(Line(number, line))
        if _opens_list(line):
            found += _items(rest, file, number)
    return found


def _until(end: str, rest: enumerate[str], file: str, number: int) -> str:
    lines: list[str] = []
    for _, line in rest:
        if line.strip() == end:
            return "\n".join(lines)
        lines.append(line)
    raise mistake(file, number, f"the value has no end {end}")


def _opens_list(line: str) -> bool:
    return line.lower().startswith("queue") and "(" in line and ")" not in line


def _items(rest: enumerate[str], file: str, number: int) -> list[Line]:
    """Return the lines of a list in parentheses; in it, a comment or blank line is no item."""
    found = []
    for at, line in rest:
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            found.append(Line(at, stripped))
        if stripped.endswith(")"):
            return found
    raise mistake(file, number, "the list of queue has no closing parenthesis")
