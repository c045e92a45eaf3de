"""Distributions that members are drawn from: `uniform`, `loguniform` and `randint`."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Context, Decimal
from typing import NamedTuple

from mlq.errors import InvalidInputError
from mlq.sweeps.decimals import number, typed

NAMES = ("uniform", "loguniform", "randint")

_CONTEXT = Context(prec=40)
_DIGITS = 6
_FAR = Decimal("1e300")


class Distribution(NamedTuple):
    """What one parameter is drawn from.

    Args:
        kind: one of NAMES.
        low, high: its ends.
    """

    kind: str
    low: Decimal
    high: Decimal

    def drawn(self, chance: Callable[[], float]) -> str:
        """Return a value; `chance` returns numbers from 0 to below 1."""
        at = Decimal(repr(chance()))
        if self.kind == "randint":
            count = self.high - self.low + 1
            return typed(self.low + (at * count).to_integral_value("ROUND_FLOOR"))
        if self.kind == "loguniform":
            low = self.low.ln(_CONTEXT)
            value = (low + at * (self.high.ln(_CONTEXT) - low)).exp(_CONTEXT)
        else:
            value = self.low + at * (self.high - self.low)
        return self.rounded(value)

    def rounded(self, value: Decimal) -> str:
        """Return a value between the ends as the job gets it.

        Six digits are kept, so that a value can be typed again, and is the same on each machine.
        """
        apart = self.high - self.low
        finest = min(apart.adjusted() if apart else 0, value.adjusted() if value else 0)
        rounded = value.quantize(Decimal(1).scaleb(finest - _DIGITS + 1), context=_CONTEXT)
        return typed(min(max(rounded, self.low), self.high))


def distribution(what: str, kind: str, arguments: list[str]) -> Distribution:
    """Return what `uniform(0,1)` means.

    Raises:
        InvalidInputError: its arguments cannot be used.
    """
    numbers = [number(one) for one in arguments]
    ends = [one for one in numbers if one is not None and abs(one) < _FAR]
    why = ""
    if len(ends) != 2 or len(numbers) != 2:
        why = "it takes two numbers, the smallest and the largest"
    elif ends[0] > ends[1]:
        why = "its first number is larger than its second"
    elif kind == "loguniform" and ends[0] <= 0:
        why = "both ends must be more than 0"
    elif kind == "randint" and any(end != end.to_integral_value() for end in ends):
        why = "its ends must be whole numbers"
    if why:
        raise InvalidInputError(
            f"{what} cannot be used", why=why, fix=f"write for example {kind}(1,10)"
        )
    return Distribution(kind, *ends)
