"""Bars of shares and of members' states, and curves made of characters. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise

from mlq_cli.render.sweeps import bar
from mlq_cli.render.table import Cell

_FULL = 0.97
_EIGHTHS = " ▏▎▍▌▋▊▉"
_KIND_OF_SIGN = {
    "█": "good",
    "▒": "busy",
    "x": "bad",
    "‖": "bad",
    "·": "faint",
}
# The dots of a Braille character, by column and by row from the bottom.
_DOTS = ((0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08))
_BRAILLE = 0x2800


def share_bar(share: float, width: int, kind: str) -> tuple[Cell, ...]:
    """Return a bar of which this share (0 to 1) is filled, in `width` columns."""
    eighths = round(min(1.0, max(0.0, share)) * width * 8)
    full, rest = divmod(eighths, 8)
    filled = "█" * full + (_EIGHTHS[rest] if rest else "")
    empty = "·" * (width - len(filled))
    return tuple(one for one in (Cell(filled, kind), Cell(empty, "faint")) if one.text)


def states_bar(progress: Mapping[str, int], width: int) -> tuple[Cell, ...]:
    """Return the bar of a sweep as `mlq ls` has it, each state in its colour."""
    text = bar(progress, width)
    return tuple(Cell("".join(signs), _KIND_OF_SIGN.get(sign, "")) for sign, signs in groupby(text))


def load_kind(share: float) -> str:
    """Return the colour of a resource of which this share is taken: another one when it is full."""
    return "waiting" if share >= _FULL else "busy"


def thinned(values: Sequence[float], number: int) -> list[float]:
    """Return at most `number` values that show the same curve: means of equal stretches.

    Args:
        values: in order; those that are not finite are left out.
        number: how many to return at most.
    """
    finite = [one for one in values if math.isfinite(one)]
    if len(finite) <= number:
        return finite
    edges = [at * len(finite) // number for at in range(number + 1)]
    parts = [finite[start:end] for start, end in pairwise(edges)]
    return [sum(part) / len(part) for part in parts]


def curve(values: Sequence[float], width: int, height: int) -> list[str]:
    """Return a curve as lines of Braille characters, top first; it spans the whole width.

    Args:
        values: in order.
        width: in characters, each two dots wide.
        height: in characters, each four dots high.
    """
    shown = _scaled(thinned(values, 2 * width))
    cells = [[0] * width for _ in range(height)]
    before: int | None = None
    for column in range(2 * width if shown else 0):
        row = round(_between(shown, column / max(1, 2 * width - 1)) * (4 * height - 1))
        # Dots between two neighbours join them, so that a steep part is a line, too.
        low = row if before is None or before == row else min(row, before + 1)
        high = row if before is None or before == row else max(row, before - 1)
        for dot in range(low, high + 1):
            cells[height - 1 - dot // 4][column // 2] |= _DOTS[column % 2][dot % 4]
        before = row
    return ["".join(chr(_BRAILLE + one) if one else " " for one in row) for row in cells]


def _between(values: Sequence[float], share: float) -> float:
    """Return the value at a place from 0 to 1 in a row of values; between two it is a mean."""
    place = share * (len(values) - 1)
    before = min(int(place), len(values) - 1)
    after = min(before + 1, len(values) - 1)
    return values[before] + (values[after] - values[before]) * (place - before)


def _scaled(values: Sequence[float]) -> list[float]:
    """Return the values from 0 (the least) to 1 (the largest); all alike are in the middle."""
    if not values:
        return []
    low, high = min(values), max(values)
    span = high - low
    if not (0 < span < math.inf):
        return [0.5] * len(values)
    return [(one - low) / span for one in values]
