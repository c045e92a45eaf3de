"""Writes measured numbers as people read them: four significant digits, and means with deviation.

The whole part of a number is never rounded away: 123456 steps are not 123500.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from mlq.metrics.grouping import Mean

_DIGITS = 4
_SMALL, _WHOLE, _LARGE = 1e-4, 1e3, 1e7
_POINTS = "."


def number(value: float) -> str:
    """Return a number with four significant digits: `0.9134`, `12.35`, `123456`, `1.200e-05`."""
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    size = abs(value)
    if size == 0:
        return "0"
    if not _SMALL <= size < _LARGE:
        return f"{value:.{_DIGITS - 1}e}"
    if size >= _WHOLE:
        return f"{value:.0f}"
    return f"{value:#.{_DIGITS}g}".removesuffix(".")


def step_text(value: float | None) -> str:
    """Return a step as text: whole if it is whole, however large; "" if there is none."""
    if value is None or not math.isfinite(value):
        return ""
    return f"{value:.0f}" if value == round(value) else f"{value:g}"


def numbers(values: Sequence[float | None]) -> list[str]:
    """Return a column of numbers with their points below each other; "" for None.

    If all are whole, as counts are, they are written whole.
    """
    known = [one for one in values if one is not None and math.isfinite(one)]
    are_whole = all(one == round(one) and abs(one) < 1e15 for one in known)
    texts = [
        "" if one is None else f"{one:.0f}" if are_whole and math.isfinite(one) else number(one)
        for one in values
    ]
    return aligned(texts)


def aligned(texts: Sequence[str]) -> list[str]:
    """Return texts padded on the right, so that their points align if they end at one place."""
    behind = [len(text) - len(text.partition(_POINTS)[0]) for text in texts]
    longest = max(behind, default=0)
    return [
        text + " " * (longest - after) if text[-1:].isdigit() else text
        for text, after in zip(texts, behind, strict=True)
    ]


def mean_parts(value: Mean) -> tuple[str, str, str]:
    """Return a mean, its deviation, and what both are times of (`e-05`), as texts.

    The deviation has one significant digit, or two if they are below 36, and the mean ends where it
    does: `0.913`, `0.004` (the rule of the Particle Data Group). Without a deviation the mean has
    four digits.
    """
    deviation = value.deviation
    if deviation is None or not math.isfinite(deviation) or deviation <= 0:
        told = "0" if deviation == 0 else ""
        return number(value.mean), told, ""
    size = max(abs(value.mean), deviation)
    power = math.floor(math.log10(size))
    scaled = not _SMALL <= size < _LARGE
    mean, spread = value.mean, deviation
    if scaled:
        mean, spread = value.mean / 10.0**power, deviation / 10.0**power
    digits = _last_digit(spread)
    digits = min(digits, 15)
    return f"{mean:.{digits}f}", f"{spread:.{digits}f}", f"e{power:+03d}" if scaled else ""


def _last_digit(deviation: float) -> int:
    """Return after how many decimals a deviation ends."""
    first = math.floor(math.log10(deviation))
    leading = deviation / 10.0**first
    return max(0, -first + (1 if leading < 3.55 else 0))


def mean(value: Mean) -> str:
    """Return `0.913 ± 0.004 (3/5)`: mean, sample deviation, how many count of how many."""
    counted = f"({value.counted}/{value.of})"
    if not value.counted:
        return counted
    middle, spread, power = mean_parts(value)
    text = f"{middle} ± {spread}" if spread else middle
    return f"({text}){power} {counted}" if power else f"{text} {counted}"
