"""Slurm's job arrays: `--array 0-999`, `1,3,7-9:2`, `0-9%4`.

A member of an array has its task number as index: `1042_7` is task 7. A member that is enqueued
again, after it had failed, gets an index from `AGAIN_FROM` on, so that no other member ever has the
id of a task.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from mlq.errors import InvalidInputError
from mlq.sweeps.decimals import LARGEST

_PART = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?(?::(\d{1,9}))?", re.ASCII)
_EXAMPLES = "write for example 0-999, 1,3,5 or 0-20:4, and %8 after it for 8 at once"
AGAIN_FROM = LARGEST
"""The first index that is no task number; the queue's Lua operations know it, too."""


class Array(NamedTuple):
    """The numbers of an array's members, and how many may run at once; None is no limit."""

    numbers: tuple[str, ...]
    max_running: int | None


def parse(text: str) -> Array:
    """Return what was typed for `--array`, read as sbatch reads it.

    Brackets around it are allowed, as `squeue` prints them. `12:2` is 12: a range without an end.

    Raises:
        InvalidInputError: it cannot be used.
    """
    plain = text.replace(" ", "")
    if plain.startswith("[") and plain.endswith("]"):
        plain = plain[1:-1]
    listed, limited, at_once = plain.partition("%")
    if limited and not (at_once.isdecimal() and int(at_once[:9]) > 0 and len(at_once) < 10):
        raise InvalidInputError(
            f"--array {text} cannot be used", why="after % stands how many may run at once"
        )
    found: dict[str, None] = {}
    for part in listed.split(","):
        found.update(dict.fromkeys(map(str, _numbers(part, text))))
    return Array(tuple(found), int(at_once) if limited else None)


def _numbers(part: str, text: str) -> range:
    match = _PART.fullmatch(part)
    first, last, step = (
        (int(match[1]), int(match[2] or match[1]), int(match[3] or 1)) if match else (0, 0, 0)
    )
    if not step or last < first:
        why = f"{part or 'nothing'} is no number and no range of them"
        raise InvalidInputError(f"--array {text} cannot be used", why=why, fix=_EXAMPLES)
    if last >= AGAIN_FROM:
        raise InvalidInputError(
            f"--array {text} cannot be used",
            why=f"task {last:,} is beyond the largest, which is {AGAIN_FROM - 1:,}",
            fix="count from a smaller number, and add to it in the program",
        )
    return range(first, last + 1, step)
