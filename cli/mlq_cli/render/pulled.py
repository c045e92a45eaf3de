"""What `mlq pull` shows: a line while it works, and what it did or would do. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mlq.units import format_bytes
from mlq_cli.render.clean import clean
from mlq_cli.render.style import Style
from mlq_cli.render.table import Cell, Column, table
from mlq_cli.render.words import elapsed

_NAMES_SHOWN = 20
_BAR = 24
_FULL, _EMPTY = "█", "·"
_SOON_S = 1.0  # before that a pace says nothing

_COLUMNS = (
    Column("FOLDER", least=12),
    Column("FILES", right=True),
    Column("SIZE", right=True),
    Column("HERE", 80, right=True),
    Column("ID", 70),
    Column("STATE", 60),
)


class Moving(NamedTuple):
    """How far a pull is.

    Args:
        moved: bytes that came over.
        reached: bytes that are here; more, if an earlier pull had left some.
        total: bytes of all files to fetch.
        files, of: files in place, and all to fetch.
        spent_s: seconds since the first.
    """

    moved: int
    reached: int
    total: int
    files: int
    of: int
    spent_s: float


class Named(NamedTuple):
    """Files to name in the report: paths with why, or with a size."""

    title: str
    rows: tuple[tuple[str, str], ...] = ()


def progress_line(now: Moving) -> str:
    """Return the bar, the bytes, the files and the time left."""
    done = min(now.reached, now.total)
    share = done / now.total if now.total else 1.0
    full = int(share * _BAR)
    parts = [
        f"{_FULL * full}{_EMPTY * (_BAR - full)} {int(share * 100):3}%",
        f"{format_bytes(done)} of {format_bytes(now.total)}",
        f"{now.files:,} of {count_with_commas(now.of, 'file')}",
    ]
    if now.spent_s >= _SOON_S and now.moved:
        pace = now.moved / now.spent_s
        left_s = (now.total - done) / pace
        parts += [f"{format_bytes(round(pace))}/s", f"{elapsed(left_s)} left"]
    return "  ".join(parts)


def count_with_commas(number: int, thing: str) -> str:
    """Return `1 file`, `2,431 files`."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def amount(number: int, size_bytes: int) -> str:
    """Return `3 files, 4.2G`."""
    return f"{count_with_commas(number, 'file')}, {format_bytes(size_bytes)}"


def named_lines(named: Iterable[Named], style: Style) -> list[str]:
    """Return the lines that name files, at most some of each kind."""
    lines = []
    for one in named:
        lines.append(clean(one.title))
        if not one.rows:
            continue
        rows = [[Cell("  " + clean(path)), Cell(what, "faint")] for path, what in one.rows]
        columns = (Column("", least=20), Column("", 90, least=12))
        lines += table(columns, rows[:_NAMES_SHOWN], style)[1:]
        if (more := len(rows) - _NAMES_SHOWN) > 0:
            lines.append(f"  … and {more:,} more")
    return lines


def plan_table(rows: Sequence[tuple[str, int, int, int, str, str]], style: Style) -> list[str]:
    """Return the table of `--dry-run`.

    Args:
        rows: of each job its folder, how many files and bytes would be fetched, how many files are
            here already, its id and state.
        style: how to render.
    """
    cells = [
        [
            Cell(folder, "strong"),
            Cell(str(files)),
            Cell(format_bytes(size_bytes)),
            Cell(str(same)),
            Cell(job_id),
            Cell(state),
        ]
        for folder, files, size_bytes, same, job_id, state in rows
    ]
    return table(_COLUMNS, cells, style)
