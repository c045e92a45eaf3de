"""Members of a sweep as a table: a column for each parameter that varies."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from mlq.jobs.view import JobView
from mlq.lenient import list_or_empty
from mlq_cli.render.jobs import how_far, remark, who
from mlq_cli.render.style import Style
from mlq_cli.render.table import Cell, Column, table


def member_table(jobs: Sequence[JobView], varying: str, now: datetime, style: Style) -> list[str]:
    """Return the lines of `mlq ls SWEEP`.

    Args:
        jobs: the members.
        varying: JSON list of the parameters that vary, in order.
        now: the present time.
        style: how to render.
    """
    names = _varying(jobs, varying)
    # A sweep may have members with different commands, for example after an option was added.
    alike = len({tuple(job.params.get(name) for name in names) for job in jobs}) < len(jobs)
    commands = [Column("COMMAND", 70, least=16)] if alike else []
    columns = (
        Column("ID"),
        Column("STATE"),
        *(Column(name, 75 - at % 20, least=6) for at, name in enumerate(names)),
        Column("DONE", 90, right=True),
        Column("TIME", 80, right=True),
        Column("LEFT", 65, right=True),
        Column("MACHINE", 50, least=8),
        Column("ATTEMPT", 45, right=True),
        *commands,
        Column("REASON", 85, least=18),
    )
    return table(columns, [_row(job, names, now, shows_command=alike) for job in jobs], style)


def _varying(jobs: Sequence[JobView], varying: str) -> list[str]:
    """Return the parameters that have several values in these jobs; for a single job, all."""
    told = [one for one in list_or_empty(varying) if isinstance(one, str)]
    every = dict.fromkeys([*told, *(name for job in jobs for name in job.params)])
    several = [one for one in every if len({job.params.get(one) for job in jobs}) > 1]
    return several or [one for one in told if any(one in job.params for job in jobs)]


def _row(job: JobView, names: Sequence[str], now: datetime, *, shows_command: bool) -> list[Cell]:
    return [
        *who(job),
        *(Cell(job.params.get(name, "")) for name in names),
        *how_far(job, now),
        *([Cell(job.command)] if shows_command else []),
        remark(job),
    ]
