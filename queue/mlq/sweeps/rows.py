"""Rows of a table, as members of a sweep: CSV, JSON Lines or a JSON array of objects.

The text itself shows which: `[` begins an array, `{` begins JSON Lines, anything else is CSV with a
line of names. Values are kept as written: `1e-3` in JSON is `1e-3`, not `0.001`.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from mlq.errors import InvalidInputError


class Table(NamedTuple):
    """Rows of one kind: names of parameters, and in each row a value for each name."""

    names: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def parse(source: str, text: str) -> Table:
    """Return the table in a text.

    Args:
        source: the file, for messages.
        text: what is in it.

    Raises:
        InvalidInputError: the text is not a table, or a row lacks a column or has one too many.
    """
    begin = text.lstrip()[:1]
    if begin == "[":
        table = of_mappings(source, _array(source, text))
    elif begin == "{":
        table = of_mappings(source, _lines(source, text))
    else:
        table = _csv(source, text)
    if not table.rows or not table.names:
        raise InvalidInputError(
            f"{source} has no rows",
            why="so the sweep would have no members",
            fix="a CSV file has the names in its first line, and a member in each other one",
        )
    return table


def of_mappings(source: str, rows: Iterable[tuple[str, Mapping[str, str]]]) -> Table:
    """Return the table of rows that map names to values; each comes with its place, for messages.

    Raises:
        InvalidInputError: they do not all have the same names.
    """
    names: tuple[str, ...] = ()
    found: list[tuple[str, ...]] = []
    for where, row in rows:
        names = names or tuple(row)
        if len(row) != len(names) or any(name not in row for name in names):
            _refuse_columns(source, where, names, list(row))
        found.append(tuple([row[name] for name in names]))
    return Table(names, tuple(found))


def _refuse_columns(source: str, where: str, names: Sequence[str], given: Sequence[str]) -> None:
    missing = [name for name in names if name not in given]
    extra = [name for name in given if name not in names]
    wrong = f"lacks {', '.join(missing)}" if missing else f"has also {', '.join(extra)}"
    raise InvalidInputError(
        f"{where} of {source} {wrong}",
        why=f"the first row has {', '.join(names) or 'nothing'}, and all rows need the same",
        fix="give each row a value for each of them",
    )


def _csv(source: str, text: str) -> Table:
    first = text.partition("\n")[0]
    tab = "\t" in first and "," not in first
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter="\t" if tab else ",", skipinitialspace=True
    )
    names: tuple[str, ...] = ()
    found: list[tuple[str, ...]] = []
    try:
        for row in reader:
            if not row:
                continue
            if not names:
                names = tuple(name.strip() for name in row)
            elif len(row) == len(names):
                found.append(tuple(row))
            else:
                count = f"{len(row)} value" + "s" * (len(row) != 1)
                raise InvalidInputError(
                    f"line {reader.line_num} of {source} has {count}",
                    why=f"its first line names {len(names)}: {', '.join(names)}",
                    fix="a value with a comma in it stands in double quotes",
                )
    except csv.Error as error:
        raise InvalidInputError(
            f"line {reader.line_num} of {source} cannot be read as CSV", why=str(error)
        ) from None
    return Table(names, tuple(found))


def _array(source: str, text: str) -> Iterable[tuple[str, Mapping[str, str]]]:
    found = _json(source, text, "")
    for at, row in enumerate(found, 1):
        yield _row(source, f"row {at}", row)


def _lines(source: str, text: str) -> Iterable[tuple[str, Mapping[str, str]]]:
    for at, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield _row(source, f"line {at}", _json(source, line, f"line {at} of "))


def _row(source: str, where: str, row: Any) -> tuple[str, Mapping[str, str]]:
    if not isinstance(row, _Object):
        raise InvalidInputError(
            f"{where} of {source} is no object", fix='write {"lr": 1e-3, "seed": 0}'
        )
    values: dict[str, str] = {}
    for name, value in row.pairs:
        if name in values:
            raise InvalidInputError(f"{where} of {source} has the parameter {name} twice")
        values[name] = _text(value)
    return where, values


class _Object(NamedTuple):
    pairs: list[tuple[str, Any]]


class _Number(str):
    """A number with the digits that the file has."""

    __slots__ = ()


def _json(source: str, text: str, where: str) -> Any:
    try:
        return json.loads(
            text,
            object_pairs_hook=_Object,
            parse_float=_Number,
            parse_int=_Number,
            parse_constant=_Number,
        )
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"{where}{source} is not JSON", why=str(error)) from None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _as_json(value)


def _as_json(value: Any) -> str:
    """Return a value as JSON, without spaces, with numbers as they were written."""
    if isinstance(value, _Number):
        return value
    if isinstance(value, _Object):
        pairs = (f"{json.dumps(name)}:{_as_json(one)}" for name, one in value.pairs)
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_as_json, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
