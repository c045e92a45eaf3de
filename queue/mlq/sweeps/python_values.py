"""Turns the values of a sweep that Python code gives into the texts that its jobs get."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from decimal import Decimal
from numbers import Real

from mlq.errors import InvalidInputError
from mlq.sweeps import rows
from mlq.sweeps.rows import Table

Given = str | tuple[str, ...]


def grid(given: object) -> list[tuple[str, Given]]:
    """Return names with values; a text is in the notation of `mlq.sweeps.values`.

    Raises:
        InvalidInputError: they do not map names to values.
    """
    if not isinstance(given, Mapping):
        raise InvalidInputError(
            f"a grid is names with values, not {given!r}", fix='grid={"lr": [1e-3, 1e-4]}'
        )
    return [(_name(name), _values(name, values)) for name, values in given.items()]


def table(given: object) -> Table | None:
    """Return rows, each a mapping of names to values; None if no rows are given.

    Raises:
        InvalidInputError: they are not rows, or do not all have the same names.
    """
    if given is None:
        return None
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise InvalidInputError(
            f"rows are a list of names with values, not {given!r}", fix='rows=[{"lr": 1e-3}]'
        )
    found = rows.of_mappings("rows", [(f"row {at}", _row(one)) for at, one in enumerate(given)])
    if not found.rows or not found.names:
        raise InvalidInputError(
            "there are no rows",
            why="so the sweep would have no members",
            fix='rows=[{"lr": 1e-3}]',
        )
    return found


def as_text(name: object, value: object) -> str:
    """Return one value as the job gets it; a number as Python writes it.

    Raises:
        InvalidInputError: it is neither text nor number.
    """
    if isinstance(value, str):
        return str(value)
    if isinstance(value, float):
        return float.__repr__(value)  # the repr of numpy's subclass has more than the digits
    if isinstance(value, Real | Decimal | bool):
        return str(value)
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    raise InvalidInputError(
        f"the value {value!r} of {name} is neither text nor number",
        why="it has to stand in a command",
        fix="write it as the text that the program reads",
    )


def _row(given: object) -> dict[str, str]:
    if not isinstance(given, Mapping):
        raise InvalidInputError(f"a row is names with values, not {given!r}")
    return {_name(name): as_text(name, value) for name, value in given.items()}


def _name(given: object) -> str:
    if not isinstance(given, str):
        raise InvalidInputError(f"the name of a parameter is text, not {given!r}")
    return given


def _values(name: object, given: object) -> Given:
    if isinstance(given, str):
        return given
    if isinstance(given, Iterable):
        return tuple([as_text(name, value) for value in given])
    return (as_text(name, given),)
