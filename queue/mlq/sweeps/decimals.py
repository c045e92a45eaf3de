"""Numbers of a sweep, in decimal arithmetic: 0.3 is 0.3, never 0.30000000000000004.

What `range`, `..`, `linspace` and `geomspace` count out, and when two texts are the same number.
"""

from __future__ import annotations

import re
from decimal import Context, Decimal, DecimalException, Inexact, InvalidOperation, Overflow
from functools import lru_cache

from mlq.errors import InvalidInputError

LARGEST = 250_000
"""The most members of a sweep: half of the jobs that it can have, so that each can run again."""

_NUMBER = re.compile(r"[+-]?(?:\d{1,60}(?:\.\d{0,60})?|\.\d{1,60})(?:[eE][+-]?\d{1,4})?", re.ASCII)
_PADDED = re.compile(r"[+-]?0\d", re.ASCII)
_EXACT = Context(prec=200, traps=[InvalidOperation, Overflow, Inexact])
_ROUNDED = Context(prec=60, traps=[InvalidOperation, Overflow])
_LARGEST_FLOAT = Decimal("1e300")


def number(text: str) -> Decimal | None:
    """Return the number that a text denotes; None if it denotes none."""
    return Decimal(text) if _NUMBER.fullmatch(text) else None


@lru_cache(maxsize=65536)
def comparable(text: str) -> str:
    """Return a text that is the same for all texts of one number: `1e-3` and `0.001`.

    A text that is no number is returned as it is; so is `007`, which is a label: taken for a number
    it would be merged with another.
    """
    value = None if _PADDED.match(text) else number(text)
    if value is None:
        return text
    if not value:
        return "0"
    sign, digits, exponent = value.as_tuple()
    stripped = "".join(map(str, digits)).lstrip("0")
    short = stripped.rstrip("0")
    return f"{'-' * sign}{short}e{int(exponent) + len(stripped) - len(short)}"


def typed(value: Decimal) -> str:
    """Return a number as a person types it: `0.001`, `1e-5`, `100`, never `1E+2`."""
    value = value.normalize(_ROUNDED)
    if not value:
        return "0"
    if -5 < value.adjusted() < 16:
        return f"{value:f}"
    return f"{value.scaleb(-value.adjusted(), _ROUNDED):f}e{value.adjusted()}"


def steps(what: str, first: Decimal, end: Decimal, step: Decimal, *, ends: bool) -> list[str]:
    """Return the numbers from `first` on, a step apart.

    Args:
        what: the text that asks for them, for messages.
        first: where they begin.
        end: where they end.
        step: from one to the next; may be negative.
        ends: whether `end` itself is one of them, if the steps meet it.

    Raises:
        InvalidInputError: there would be no end of them, too many, or none.
    """
    if not step:
        raise InvalidInputError(f"{what} never ends", why="its step is 0")
    try:
        whole = _EXACT.divide_int(_EXACT.subtract(end, first), step)
        rest = _EXACT.remainder(_EXACT.subtract(end, first), step)
        count = int(whole) + (1 if ends or rest else 0) if abs(whole) <= LARGEST else LARGEST + 1
        if whole < 0 or (rest and (rest < 0) != (step < 0)):
            count = 0
        _at_most(what, count)
        return [typed(_EXACT.fma(step, Decimal(at), first)) for at in range(count)]
    except DecimalException:
        raise InvalidInputError(
            f"{what} cannot be counted out", why="its step is too small for such numbers"
        ) from None


def linspace(what: str, first: Decimal, last: Decimal, count: int) -> list[str]:
    """Return so many numbers at equal distances, both ends included; raise like `geomspace`."""
    _check_points(what, count, first, last)
    if count == 1:
        return [typed(first)]
    apart = _ROUNDED.subtract(last, first)
    inner = (
        _ROUNDED.add(first, _ROUNDED.divide(_ROUNDED.multiply(apart, Decimal(at)), count - 1))
        for at in range(1, count - 1)
    )
    return [typed(first), *(typed(_as_float(one)) for one in inner), typed(last)]


def geomspace(what: str, first: Decimal, last: Decimal, count: int) -> list[str]:
    """Return so many numbers at equal ratios, both ends included.

    Raises:
        InvalidInputError: an end is not more than 0, or the count cannot be used.
    """
    _check_points(what, count, first, last)
    if first <= 0 or last <= 0:
        raise InvalidInputError(
            f"{what} cannot be counted out", why="both ends must be more than 0", fix="use linspace"
        )
    if count == 1:
        return [typed(first)]
    low, apart = first.ln(_ROUNDED), _ROUNDED.subtract(last.ln(_ROUNDED), first.ln(_ROUNDED))
    inner = (
        _ROUNDED.add(low, _ROUNDED.divide(_ROUNDED.multiply(apart, Decimal(at)), count - 1))
        for at in range(1, count - 1)
    )
    middle = (typed(_as_float(one.exp(_ROUNDED))) for one in inner)
    return [typed(first), *middle, typed(last)]


def _as_float(value: Decimal) -> Decimal:
    """Return the shortest decimal number that is the same float, as a program reads it."""
    return Decimal(repr(float(value)))


def _check_points(what: str, count: int, *ends: Decimal) -> None:
    if count < 1:
        raise InvalidInputError(f"{what} has no values", why="at least 1 is needed")
    _at_most(what, count)
    if any(abs(end) > _LARGEST_FLOAT for end in ends):
        raise InvalidInputError(f"{what} cannot be counted out", why="its numbers are too large")


def _at_most(what: str, count: int) -> None:
    if count > LARGEST:
        raise InvalidInputError(
            f"{what} has too many values", why=f"a sweep has at most {LARGEST:,} members"
        )
