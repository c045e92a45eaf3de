"""Arguments of the Python API that are not what they should be, told in one message.

Python finds a wrong type where it is first used, deep inside, or not at all: one text is a sequence
of its letters, so `queue.cancel("12")` would cancel jobs 1 and 2.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from mlq.errors import InvalidInputError


def texts(what: str, given: object, example: str) -> tuple[str, ...]:
    """Return several texts as they were given.

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
    """Return ids of jobs as they were given; raise InvalidInputError like `texts`."""
    return texts("the ids of jobs", given, '["1042"]')


def timeout(given: object) -> float | None:
    """Return a timeout in seconds; raise InvalidInputError if it is none."""
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int | float) or math.isnan(given):
        raise InvalidInputError(f"timeout_s must be a number of seconds, not {given!r}")
    return float(given)


def mapping(what: str, given: object) -> Mapping[str, str]:
    """Return names and values as they were given; raise InvalidInputError if they are none."""
    if not isinstance(given, Mapping):
        raise InvalidInputError(
            f"{what} must be names with values, not {given!r}", fix=f'write {what}={{"SEED": "1"}}'
        )
    return given
