"""Reads Lightning's `metrics.csv`: a table whose rows have a value in some of the columns.

Training and validation write rows of their own for the same step; they become one point. When a new
metric appears, Lightning writes the whole file anew with a longer header; a program of its own may
write a new header in the middle.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence

from mlq.metrics.series import LONGEST_NAME, Point
from mlq_worker.collector.sources.values import STEP_NAMES, number_of, point_of

_MOST_COLUMNS = 200
_LONGEST_LINE = 1 << 16


class Table:
    """A table that grows.

    Args:
        columns: the header so far, of a reader that goes on where an earlier one stopped.
        rows: how many rows came below it.
    """

    def __init__(self, columns: Sequence[str] = (), rows: int = 0) -> None:
        self.columns = list(columns)
        self.rows = rows
        # The rows that were read before the file was written anew, and the names of their columns.
        self._known, self._before = 0, set[str]()

    def written_anew(self, *, is_longer: bool) -> None:
        """Take note that the next lines are the first ones of the file again.

        Args:
            is_longer: whether it has more bytes than were read of it, so that the rows that were
                read may be in it.
        """
        self._known, self._before = (self.rows if is_longer else 0), set(self.columns)
        self.rows, self.columns = 0, []

    def read(self, lines: Iterable[bytes]) -> list[Point]:
        """Return the points of the next lines, all of them whole."""
        points: list[Point] = []
        texts = (one.decode(errors="replace") for one in lines if len(one) <= _LONGEST_LINE)
        for cells in map(_cells, texts):
            if not cells:
                continue
            if not self.columns or _is_header(cells):
                self._take_header(cells)
                continue
            self.rows += 1
            if self.rows > self._known:
                _add(points, point_of(dict(zip(self.columns, cells, strict=False))))
        return points

    def _take_header(self, cells: list[str]) -> None:
        names = [one.strip()[: LONGEST_NAME + 1] for one in cells[:_MOST_COLUMNS]]
        if not self.columns and not self._before < set(names):
            self._known = 0  # another table; none of its rows was read
        self.columns = names


def _cells(line: str) -> list[str]:
    try:
        return next(csv.reader([line.replace("\0", "")]), [])
    except csv.Error:
        return []


def _is_header(cells: list[str]) -> bool:
    """Return whether a row names a step and holds no number."""
    return any(one.strip().lower() in STEP_NAMES for one in cells) and not any(
        number_of(one) is not None for one in cells
    )


def _add(points: list[Point], point: Point | None) -> None:
    """Append a point; one of the same step as the last goes into that one, the later wins."""
    if point is None:
        return
    if points and point.step is not None and points[-1].step == point.step:
        points[-1].values.update(point.values)
    else:
        points.append(point)
