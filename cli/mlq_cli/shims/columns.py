"""Tables as squeue, sinfo and sacct print them. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from mlq.errors import InvalidInputError

_DEFAULT_LONG = 20
_LETTER = re.compile(r"%(\.?)(\d*)([A-Za-z])")


class Column(NamedTuple):
    """One column.

    Args:
        name: of what stands in it.
        width: how many characters; 0 for as many as there are.
        right: whether to the right.
        after: what stands behind it.
    """

    name: str
    width: int = 0
    right: bool = False
    after: str = ""

    def cell(self, text: str) -> str:
        """Return a text as it stands in this column, cut off if need be."""
        if not self.width:
            return text + self.after
        cut = text[: self.width]
        return (cut.rjust(self.width) if self.right else cut.ljust(self.width)) + self.after


def of_letters(text: str) -> tuple[str, list[Column]]:
    """Return what stands before the first column, and the columns of `%.18i %t`.

    Raises:
        InvalidInputError: there is no column.
    """
    found = list(_LETTER.finditer(text))
    if not found:
        raise InvalidInputError(f"Invalid format specification: {text!r} has no field")
    ends = [*(one.start() for one in found[1:]), len(text)]
    columns = [
        Column(one[3], int(one[2] or 0), bool(one[1]), text[one.end() : end])
        for one, end in zip(found, ends, strict=True)
    ]
    return text[: found[0].start()], columns


def of_names(text: str) -> list[Column]:
    """Return the columns of `JobID:12,State:.10`.

    Raises:
        InvalidInputError: a width is no number.
    """
    columns = []
    for one in text.split(","):
        name, colon, size = one.strip().partition(":")
        match = re.fullmatch(r"(\.?)(\d*)(\D*)", size)
        if match is None or not name:
            raise InvalidInputError(f"Invalid field requested: {one!r}")
        width = int(match[2] or _DEFAULT_LONG) if colon else _DEFAULT_LONG
        columns.append(Column(name.lower(), width, bool(match[1]), match[3]))
    return columns


def line(columns: Sequence[Column], cells: Sequence[str], before: str = "") -> str:
    """Return one line of a table."""
    pairs = zip(columns, cells, strict=True)
    return before + "".join(column.cell(text) for column, text in pairs)
