"""How the overrides of a job become parameters of a member of a sweep: pure.

mlq recognizes a member by its parameters, and a job finds what it is to do by a key that it
computes from those. Numbers are the same however they are written, as in mlq.
"""

from __future__ import annotations

import hashlib
import re
import typing as tp
from collections import Counter
from decimal import Decimal, InvalidOperation

Row = tp.Mapping[str, str]

ALONE = "job"
"""The parameter of a job without overrides, and of one whose overrides mlq cannot name."""

AGAIN = "again"
"""The parameter that tells jobs with the same overrides apart; the first one has none."""

_NAME = re.compile(r"[A-Za-z][\w.@/:-]*")
_TAKEN = frozenset(("repeat", "array", "command", "args", "overrides", ALONE, AGAIN))
_PADDED = re.compile(r"[+-]?0\d")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def rows_of(batch: tp.Sequence[tp.Sequence[str]], launched: Counter[str]) -> list[Row]:
    """Return the parameters of each job.

    Args:
        batch: the overrides of each.
        launched: how many jobs there were before, by the key of their overrides; this counts on.
    """
    rows = []
    for overrides in batch:
        row = dict(_row(overrides))
        key = key_of(words_of(row))
        if launched[key]:
            row[AGAIN] = str(launched[key])
        launched[key] += 1
        rows.append(row)
    return rows


def _row(overrides: tp.Sequence[str]) -> Row:
    row: dict[str, str] = {}
    variables = set()
    for override in overrides:
        name, assigned, value = override.partition("=")
        deleted = name.startswith("~")
        name = name.lstrip("+~")
        variables.add(re.sub("[^A-Za-z0-9]+", "_", name).upper())
        if not _NAME.fullmatch(name) or name in _TAKEN:
            return {ALONE: " ".join(overrides)}
        row[name] = "(deleted)" if deleted else value if assigned else ""
    if len(variables) < len(overrides):
        return {ALONE: " ".join(overrides)}
    return row or {ALONE: "defaults"}


def words_of(row: Row) -> list[str]:
    """Return the parameters as the job's command has them."""
    return [f"{name}={value}" for name, value in row.items()]


def key_of(words: tp.Iterable[str]) -> str:
    """Return what identifies a job in its launch: 16 hexadecimal digits."""
    pairs = sorted(
        (name, _comparable(value)) for name, _, value in (w.partition("=") for w in words)
    )
    return hashlib.sha256(repr(pairs).encode()).hexdigest()[:16]


def _comparable(value: str) -> str:
    if _PADDED.match(value) or not _NUMBER.fullmatch(value):
        return value
    try:
        return str(Decimal(value).normalize() + 0)
    except InvalidOperation:
        return value


def grouped(rows: tp.Iterable[Row]) -> list[list[Row]]:
    """Return the rows by the names of their parameters: a table of mlq has one set of names."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row), []).append(row)
    return list(groups.values())
