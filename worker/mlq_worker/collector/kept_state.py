"""Takes the state of a reader out of JSON that a job may have written.

Each function raises ValueError for another type than it returns; whoever restores a state from such
values then begins anew.
"""

from __future__ import annotations

from typing import Any

_LARGEST = 1e300


def number(raw: object) -> float:
    """Return a finite number, and one with which one can reckon."""
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not -_LARGEST < raw < _LARGEST:
        raise ValueError("is no number")
    return raw


def number_or_unknown(raw: object) -> float | None:
    """Return a finite number, or None as it is."""
    return None if raw is None else number(raw)


def whole(raw: object) -> int:
    """Return a whole number."""
    if isinstance(raw, bool) or not isinstance(raw, int):
        raise ValueError("is no whole number")  # noqa: TRY004 - one error for all that is wrong
    return raw


def text(raw: object) -> str:
    """Return a text."""
    if not isinstance(raw, str):
        raise ValueError("is no text")  # noqa: TRY004 - one error for all that is wrong
    return raw


def texts(raw: object) -> list[str]:
    """Return a list of texts."""
    return [text(one) for one in values(raw)]


def values(raw: object, count: int | None = None) -> list[Any]:
    """Return a list, of so many values."""
    if not isinstance(raw, list) or (count is not None and len(raw) != count):
        raise ValueError("is no such list")
    return raw


def by_name(raw: object) -> dict[str, Any]:
    """Return an object."""
    if not isinstance(raw, dict):
        raise ValueError("is no object")  # noqa: TRY004 - one error for all that is wrong
    return raw
