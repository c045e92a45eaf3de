"""Sizes, times, numbers and lists as PBS writes them."""

from __future__ import annotations

import re

from mlq.errors import InvalidInputError
from mlq.units import checked_duration

_MIB = 1 << 20
_LARGEST_MIB = 1 << 30
_SIZE = re.compile(r"(\d{1,18})([kmgtp]?)([bw]?)", re.ASCII | re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_TIME = re.compile(r"\d{1,9}(?::\d{1,9}){0,3}(?:\.\d{1,3})?", re.ASCII)
_FACTORS_S = (1, 60, 3600, 86400)


def size_mib(text: str) -> int:
    """Return a size in MiB, rounded up: `8gb`, `512mb`, `1048576kb`, `100mw` (words of 8 bytes).

    Raises:
        InvalidInputError: it is no size, 0, or larger than any machine.
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        why = "a number without a unit is bytes"
        raise InvalidInputError(f"{text!r} is no size", why=why, fix="write for example 8gb")
    size: int = int(match[1]) * 1024 ** _POWERS[match[2].lower()]
    if match[3].lower() == "w":
        size *= 8
    mib = -(-size // _MIB)
    if not 0 < mib <= _LARGEST_MIB:
        raise InvalidInputError(f"the size {text!r} cannot be used", why="no machine has that much")
    return mib


def time_s(text: str) -> float:
    """Return a duration in seconds: `[[[days:]hours:]minutes:]seconds[.milliseconds]`.

    Raises:
        InvalidInputError: it is no duration, 0, or absurdly long.
    """
    if _TIME.fullmatch(text) is None:
        raise InvalidInputError(f"{text!r} is no time", fix="write for example 12:00:00")
    parts = reversed(text.split(":"))
    seconds = sum(float(part) * factor_s for part, factor_s in zip(parts, _FACTORS_S, strict=False))
    return checked_duration(seconds, text)


def whole(text: str, least: int, most: int) -> int:
    """Return a whole number.

    Raises:
        InvalidInputError: it is none, or out of range.
    """
    if re.fullmatch(r"[+-]?\d{1,9}", text, re.ASCII) is None or not least <= int(text) <= most:
        raise InvalidInputError(f"{text!r} is no number from {least} to {most}")
    return int(text)


def split_outside_quotes(text: str, separator: str) -> list[str]:
    """Return the parts of a list; what is in quotes, or after a backslash, separates nothing."""
    parts, quote, is_escaped = [""], "", False
    for char in text:
        if is_escaped:
            parts[-1] += char
            is_escaped = False
        elif char == "\\" and quote != "'":
            is_escaped = True
        elif quote:
            if char == quote:
                quote = ""
            else:
                parts[-1] += char
        elif char in "\"'":
            quote = char
        elif char == separator:
            parts.append("")
        else:
            parts[-1] += char
    return parts
