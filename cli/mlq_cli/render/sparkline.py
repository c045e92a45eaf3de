"""A curve in one line of text, of block characters."""

from __future__ import annotations

import math
from collections.abc import Sequence

_BLOCKS = "▁▂▃▄▅▆▇█"


def sparkline(
    values: Sequence[float], width: int, *, least: float | None = None, most: float | None = None
) -> str:
    """Return a curve; "" without values. What is no number leaves a gap.

    Args:
        values: in order; more of them than there is room for are averaged.
        width: how many characters it has at most.
        least: what the lowest block stands for; None: the least of the values.
        most: what the highest block stands for; None: the largest of the values.
    """
    means = _averaged(values, max(1, width))
    finite = [one for one in means if math.isfinite(one)]
    if not finite:
        return " " * len(means)
    low = min(finite) if least is None else least
    high = max(finite) if most is None else most
    return "".join(_block(one, low, high) for one in means)


def _averaged(values: Sequence[float], width: int) -> list[float]:
    if len(values) <= width:
        return list(values)
    found = []
    for at in range(width):
        part = values[at * len(values) // width : (at + 1) * len(values) // width]
        known = [one for one in part if math.isfinite(one)]
        found.append(sum(known) / len(known) if known else math.nan)
    return found


def _block(value: float, low: float, high: float) -> str:
    if not math.isfinite(value):
        return " "
    spread = high - low
    if not math.isfinite(spread):
        low, high, value = low / 4, high / 4, value / 4  # the difference itself overflows
        spread = high - low
    share = (value - low) / spread if spread > 0 else 0.0
    return _BLOCKS[round(min(1.0, max(0.0, share)) * (len(_BLOCKS) - 1))]
