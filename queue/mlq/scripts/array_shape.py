"""How many tasks an array has, from which number to which, and in which steps."""

from __future__ import annotations

import re
from typing import NamedTuple

_PART = re.compile(r"(\d{1,9})(?:-(\d{1,9})(?::(\d{1,9}))?)?", re.ASCII)


class Shape(NamedTuple):
    """The shape of an array, as Slurm tells it to its tasks.

    Args:
        tasks: how many.
        first, last: the smallest and the largest number.
        step: as typed, if the array is one range; else 1.
    """

    tasks: int
    first: int
    last: int
    step: int


def shape_of(text: str) -> Shape | None:
    """Return the shape of `0-9:3,12`; None if that cannot be read. `%N` at the end does not count.

    Overlapping parts count once.
    """
    ranges: list[range] = []
    for part in text.split("%", 1)[0].split(","):
        match = _PART.fullmatch(part.strip())
        if match is None:
            return None
        first, last = int(match[1]), int(match[2] or match[1])
        ranges.append(range(first, last + 1, max(1, int(match[3] or 1))))
    ranges = [one for one in ranges if one]
    if not ranges:
        return None
    if len(ranges) == 1:
        (one,) = ranges
        return Shape(len(one), one[0], one[-1], one.step)
    numbers = {number for one in ranges for number in one}
    return Shape(len(numbers), min(numbers), max(numbers), 1)
