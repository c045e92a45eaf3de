"""The folders of ended jobs as a table, the largest last, next to the prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from mlq.jobs.view import JobView
from mlq_cli.render.style import Style
from mlq_cli.render.table import Cell, Column, table
from mlq_cli.render.words import about, moment

_KIB, _MIB = 1 << 10, 1 << 20
_COLUMNS = (
    Column("ID"),
    Column("STATE"),
    Column("ENDED", 80),
    Column("SIZE", 90, right=True),
    Column("NAME", 60, least=10),
)


def size(count_bytes: int) -> str:
    """Return a size as people read it: `12K`, `3M`, `8.5G`."""
    return about(count_bytes // _MIB) if count_bytes >= _MIB else f"{-(-count_bytes // _KIB)}K"


def folder_table(
    jobs: Sequence[JobView], sizes: Mapping[str, int], now: datetime, style: Style
) -> list[str]:
    """Return the lines of `mlq clean`.

    Args:
        jobs: the jobs.
        sizes: id -> bytes of its folder.
        now: the present time, in the time zone to show.
        style: how to render.
    """
    rows = [
        [
            Cell(job.id, "strong"),
            Cell(job.state),
            Cell(moment(job.ended_at, now) if job.ended_at else "", "faint"),
            Cell(size(sizes[job.id])),
            Cell(job.name),
        ]
        for job in sorted(jobs, key=lambda one: sizes[one.id])
    ]
    return table(_COLUMNS, rows, style)
