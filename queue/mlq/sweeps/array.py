"""Slurm's job arrays: `--array 0-999`, `1,3,7-9:2`, `0-9%4`."""

from __future__ import annotations

import re
from typing import NamedTuple

from mlq.errors import InvalidInputError
from mlq.sweeps.decimals import LARGEST

_PART = re.compile(r"(\d{1,9})(?:-(\d{1,9})(?::(\d{1,9}))?)?", re.ASCII)


class Array(NamedTuple):
    """The numbers of an array's members, and how many may run at once; None is no limit."""

    numbers: tuple[str, ...]
    max_running: int | None


def parse(text: str) -> Array:
    """Return what was typed for `--array`, read as sbatch reads it.

    Raises:
        InvalidInputError: it cannot be used.
    """
    listed, limited, at_once = text.replace(" ", "").partition("%")
    if limited and not (at_once.isdecimal() and int(at_once[:9]) > 0 and len(at_once) < 10):
        raise InvalidInputError(
            f"--array {text} cannot be used", why="after % stands how many may run at once"
        )
    found: dict[str, None] = {}
    for part in listed.split(","):
        match = _PART.fullmatch(part)
        first, last, step = (
            (int(match[1]), int(match[2] or match[1]), int(match[3] or 1)) if match else (0, 0, 0)
        )
        if not step or last < first:
            raise InvalidInputError(
                f"--array {text} cannot be used",
                why=f"{part or 'nothing'} is no number and no range of them",
                fix="write for example 0-999, 1,3,5 or 0-20:4, and %8 after it for 8 at once",
            )
        if len(found) + (last - first) // step >= LARGEST:
            raise InvalidInputError(
                f"--array {text} has too many members", why=f"at most {LARGEST:,} are possible"
            )
        found.update(dict.fromkeys(map(str, range(first, last + 1, step))))
    return Array(tuple(found), int(at_once) if limited else None)
