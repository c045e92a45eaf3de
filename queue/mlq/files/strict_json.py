"""Parses JSON that other programs wrote, so that no text can do harm.

Python's own parser recurses once for each bracket, takes NaN for a number, reads 1e999 as infinity
and keeps the last of two equal names. A text is checked before it is parsed, so that the reader of
the result need only check types and ranges.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any, NamedTuple

from mlq.files.strict_files import Content, Missing, Refused, read_file

DEPTH = 16
"""How deeply JSON that mlq itself writes may be nested."""

VALUE_DEPTH = 200
"""How deeply a function's result may be nested; Python's parser allows about 900 levels."""

_LONGEST_NUMBER = 40
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)


class Parsed(NamedTuple):
    """A file that held JSON."""

    value: Any


def read_json(
    root: Path | str, path: Path | str, most_bytes: int, depth: int = DEPTH
) -> Parsed | Missing:
    """Read a JSON file below the root; see `mlq.files.strict_files.read_file`."""
    found = read_file(root, path, most_bytes)
    if not isinstance(found, Content):
        return found
    try:
        return Parsed(parse(found.data, depth))
    except ValueError as error:
        return Refused(str(error))


def parse(data: bytes, depth: int = DEPTH) -> Any:
    """Return the value of a JSON text in UTF-8.

    Raises:
        ValueError: it is not JSON, is nested more than `depth` deep, has a name twice, or holds a
            number that is not finite or is absurdly long. The error's text follows "it".
    """
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8") from None
    if is_deeper(data, depth):
        raise ValueError(f"is nested more than {depth} deep")
    try:
        return json.loads(
            text,
            parse_int=_whole,
            parse_float=_real,
            parse_constant=_constant,
            object_pairs_hook=_object,
        )
    except json.JSONDecodeError:
        raise ValueError("is damaged" if data.strip() else "is empty") from None


def parse_value(data: bytes) -> str:
    """Return what a function returned, as one line of ASCII JSON.

    Raises:
        ValueError: as for `parse_pythons`.
    """
    return json.dumps(parse_pythons(data))


def parse_pythons(data: bytes | str) -> Any:
    """Return the value of a JSON text as Python writes it: a number may be NaN, infinite or long.

    Raises:
        ValueError: as for `parse`, with depth `VALUE_DEPTH`.
    """
    try:
        raw = data.encode() if isinstance(data, str) else data
        text = raw.decode()
    except UnicodeError:
        raise ValueError("is not UTF-8") from None
    if is_deeper(raw, VALUE_DEPTH):
        raise ValueError(f"is nested more than {VALUE_DEPTH} deep")
    try:
        return json.loads(text)
    except ValueError:
        raise ValueError("is damaged" if text.strip() else "is empty") from None


def is_deeper(data: bytes, depth: int) -> bool:
    """Return whether a JSON text is nested more than `depth` deep; it need not be valid."""
    if data.count(b"[") + data.count(b"{") <= depth:
        return False
    level = 0
    for match in _BRACKETS.finditer(data):
        first = data[match.start()]
        if first in b"[{":
            level += 1
            if level > depth:
                return True
        elif first in b"]}":
            level -= 1
    return False


def _whole(text: str) -> int:
    if len(text) > _LONGEST_NUMBER:
        raise ValueError("holds an absurdly long number")
    return int(text)


def _real(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("holds a number that is not finite")
    return value


def _constant(text: str) -> float:
    raise ValueError(f"holds {text}, which is no JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("names something twice")
    return found
