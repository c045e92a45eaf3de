"""Checks arguments of the Python API, so that a wrong one is a single clear error.

Python notices a wrong type only where it is first used, deep inside, or not at all: a string is a
sequence of its characters, so `queue.cancel("12")` would cancel jobs 1 and 2.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from mlq.errors import InvalidInputError


def texts(what: str, given: object, example: str) -> tuple[str, ...]:
    """Check that this is a sequence of texts, and return it.

    Raises:
        InvalidInputError: they are one text, no sequence, or not all of them are texts.
    """
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise InvalidInputError(f"{what} must be a list, not {given!r}", fix=f"write {example}")
    found = tuple(given)
    for one in found:
        if type(one) is not str and not isinstance(one, str):
            raise InvalidInputError(
                f"{what} must be texts", why=f"{one!r} is none", fix=f"write {example}"
            )
    return found


def ids(given: object) -> tuple[str, ...]:
    """Check ids of jobs, and return them; raise InvalidInputError like `texts`."""
    return texts("the ids of jobs", given, '["1042"]')


def timeout(given: object) -> float | None:
    """Check a timeout in seconds, and return it; raise InvalidInputError if it is not a number."""
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int | float) or math.isnan(given):
        raise InvalidInputError(f"timeout_s must be a number of seconds, not {given!r}")
    return float(given)


def mapping(what: str, given: object) -> Mapping[str, str]:
    """Check that this maps names to values, and return it; raise InvalidInputError if not."""
    if not isinstance(given, Mapping):
        raise InvalidInputError(
            f"{what} must be names with values, not {given!r}", fix=f'write {what}={{"SEED": "1"}}'
        )
    return given
