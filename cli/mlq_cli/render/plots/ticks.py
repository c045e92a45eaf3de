"""Where ticks stand on an axis in a terminal: at numbers that people would choose. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

_STEPS = (1, 2, 2.5, 5, 10)
_LEAST, _MOST_DECADES = 2, 400


def nice_ticks(values: Sequence[float], most: int, *, is_log: bool = False) -> list[float]:
    """Return at most so many numbers between the least and the largest value, evenly spaced.

    On a logarithmic axis they are powers of ten, or 1, 2 and 5 times these.

    Args:
        values: finite ones; on a logarithmic axis only those above 0 count.
        most: how many ticks there is room for.
        is_log: whether the axis is logarithmic.
    """
    known = [one for one in values if math.isfinite(one) and (one > 0 or not is_log)]
    if not known:
        return []
    low, high = min(known), max(known)
    if low == high:
        return [low]
    return _on_log(low, high, most) if is_log else _evenly(low, high, most)


def _evenly(low: float, high: float, most: int) -> list[float]:
    rough = (high - low) / max(_LEAST, most)
    if not math.isfinite(rough) or rough < max(abs(low), abs(high)) * 1e-12:
        return [low, high]
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((one * power for one in _STEPS if one * power >= rough), 0.0)
    if not step:
        return [low, high]
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [
        round(at * step, 12) if abs(step) > 1e-9 else at * step for at in range(first, last + 1)
    ]


def _on_log(low: float, high: float, most: int) -> list[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for factors in ((1, 2, 5), (1, 3), (1,)):
        found = [
            factor * 10.0**power
            for power in range(first, min(last, first + _MOST_DECADES) + 1)
            for factor in factors
        ]
        inside = [one for one in found if low * 0.999 <= one <= high * 1.001]
        if len(inside) <= max(_LEAST, most):
            return inside or [low, high]
    return inside[:: math.ceil(len(inside) / max(_LEAST, most))]
