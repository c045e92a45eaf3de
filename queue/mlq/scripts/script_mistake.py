"""A mistake in a job file: every message names the file and the line."""

from __future__ import annotations

from mlq.errors import InvalidInputError


def mistake(file: str, line: int, what: str, *, why: str = "", fix: str = "") -> InvalidInputError:
    """Return the error for a line of a job file.

    Args:
        file: as its user typed it.
        line: its number, from 1; 0 for the file as a whole.
        what: as for `MlqError`; so are `why` and `fix`.
        why: the cause.
        fix: what to do.
    """
    place = f"{file}, line {line}" if line else file
    return InvalidInputError(f"{place}: {what}", why=why, fix=fix)
