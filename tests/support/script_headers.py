"""The headers of the Lua operations, and whether calls and replies are what they say.

A header is the comment at the top of a script: `-- name(arg, optional?) -> {field} or {field}`, and
below it a line or more for what needs a word, of which `[{a, b}]`, `[[a, b]]` and `{a, b}` say of
what objects or lists it is made.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from mlq.store import scripts
from mlq.store.operations import Operation

FOLDER = Path(scripts.__file__).with_name("lua")
_FIRST = re.compile(r"-- (\w+)\((.*?)\)(?:\n--)?\s+-> ([^\n]*)")
_SHAPE = re.compile(r"^--   (\w+) +(\[\{|\[\[|\{)([\w?,\s-]+)[\]}]", re.MULTILINE)


class Shape(NamedTuple):
    """Of what an argument or a field of a reply is made."""

    opening: str
    parts: tuple[str, ...]

    def fits(self, value: Any) -> bool:
        if self.opening == "{":
            return _fits(self.parts, value)
        if self.opening == "[{":
            return all(_fits(self.parts, one) for one in value)
        least = sum(not one.endswith("?") for one in self.parts)
        return all(least <= len(one) <= len(self.parts) for one in value)


class Header(NamedTuple):
    """What the comment at the top of a script says."""

    name: str
    args: tuple[str, ...]
    replies: tuple[tuple[str, ...], ...]
    shapes: dict[str, Shape]


def operations() -> list[str]:
    """Return the names of all operations."""
    return sorted(path.stem for path in FOLDER.glob("*.lua") if not path.stem.startswith("_"))


def text(name: str) -> str:
    """Return the text of a script, without what is put in front of it."""
    return (FOLDER / f"{name}.lua").read_text(encoding="utf-8")


@cache
def header(name: str) -> Header:
    """Read the header of an operation."""
    comment = re.match(r"(?:--.*\n)*", text(name))
    first = _FIRST.match(comment[0]) if comment else None
    assert comment and first, f"{name}.lua has no header"
    shapes = {
        found[1]: Shape(found[2], _names(re.sub(r"\n--", " ", found[3])))
        for found in _SHAPE.finditer(comment[0])
    }
    replies = tuple(_names(one) for one in re.findall(r"\{(.*?)\}", first[3]))
    return Header(first[1], _names(first[2]), replies, shapes)


def _names(listed: str) -> tuple[str, ...]:
    return tuple(one.strip() for one in listed.split(",") if one.strip())


def _fits(names: Sequence[str], value: dict[str, Any]) -> bool:
    required = {one for one in names if not one.endswith("?")}
    return required <= set(value) <= {one.removesuffix("?") for one in names}


def check_call(operation: Operation) -> None:
    """Fail if what is sent is not what the header says."""
    said = header(operation.name)
    assert _fits(said.args, operation.args), f"{said.name} is sent {sorted(operation.args)}"
    _check_shapes(said, operation.args)


class CheckedReply(dict[str, Any]):
    """A reply that has what the header says, and of which nothing else is read."""

    def __init__(self, name: str, reply: dict[str, Any]) -> None:
        super().__init__(reply)
        self._said = header(name)
        assert any(_fits(one, reply) for one in self._said.replies), f"{name} replied {reply}"
        _check_shapes(self._said, reply)

    def __getitem__(self, field: str) -> Any:
        self._check(field)
        return super().__getitem__(field)

    def get(self, field: str, default: Any = None) -> Any:
        self._check(field)
        return super().get(field, default)

    def _check(self, field: str) -> None:
        known = {one.removesuffix("?") for names in self._said.replies for one in names}
        assert field in known, f"{field} is read of a reply of {self._said.name}"


def _check_shapes(said: Header, values: dict[str, Any]) -> None:
    for name, value in values.items():
        shape = said.shapes.get(name)
        assert shape is None or shape.fits(value), f"{name} of {said.name} is {value}"
