"""Jobs as a table, and the words for one job in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from mlq.jobs.lifecycle import ENDED, HELD, WAITING, State
from mlq.jobs.view import JobView
from mlq.units import format_mib, parse_iso
from mlq_cli.render.style import Style, kind_of
from mlq_cli.render.table import Cell, Column, table
from mlq_cli.render.words import count, elapsed, percent

_COLUMNS = (
    Column("ID"),
    Column("STATE"),
    Column("DONE", 90, right=True),
    Column("TIME", 80, right=True),
    Column("LEFT", 75, right=True),
    Column("MACHINE", 70, least=8),
    Column("ATTEMPT", 45, right=True),
    Column("ASKS", 40),
    Column("NAME", 60, least=16),
    Column("COMMAND", 50, least=24),
    Column("REASON", 85, least=18),
)


def job_table(jobs: Sequence[JobView], now: datetime, style: Style) -> list[str]:
    """Return the lines of `mlq ls`."""
    return table(_COLUMNS, [_row(job, now) for job in jobs], style)


def _row(job: JobView, now: datetime) -> list[Cell]:
    return [
        *who(job),
        *how_far(job, now),
        Cell(asks(job), "faint"),
        # The command identifies a job that has no name.
        Cell(job.name) if job.name else Cell(job.command, "faint"),
        Cell(job.command if job.name else ""),
        remark(job),
    ]


def who(job: JobView) -> list[Cell]:
    """Return the cells of a job's id and state."""
    return [
        Cell(job.id, "strong" if job.state == State.STARTED else ""),
        Cell(state_of(job), kind_of(state_of(job))),
    ]


def how_far(job: JobView, now: datetime) -> list[Cell]:
    """Return the cells of a job's progress, time, time left, machine and attempt."""
    return [
        Cell(done_of(job) if job.state == State.STARTED else ""),
        Cell(elapsed(seconds_of(job, now)), "faint" if job.state in WAITING else ""),
        Cell("" if job.left_s is None else elapsed(job.left_s)),
        Cell(job.machine or "" if job.state not in WAITING else ""),
        Cell(str(job.attempt) if job.attempt > 1 else ""),
    ]


def done_of(job: JobView) -> str:
    """Return a job's share; that of an inner loop is not the job's."""
    if job.progress is None and job.inner is not None:
        return f"loop {percent(job.inner)}"
    return percent(job.progress)


def remark(job: JobView) -> Cell:
    """Return the cell of why a job ended so, what keeps it, or what else its user should know."""
    if job.state in ENDED:
        if job.reason or not job.notes:
            return Cell(job.reason, kind_of(state_of(job)))
        return Cell(job.notes[0], "faint")
    notes = job.notes if job.state == State.STARTED else ()
    said = "; ".join(one for one in (job.reason, job.restraint, job.condition, *notes) if one)
    return Cell(said, "waiting" if job.condition or job.restraint else "")


def state_of(job: JobView) -> str:
    """Return the word for a job's state: rq's word, or `held` for a held job."""
    return HELD if job.held else job.state


def seconds_of(job: JobView, now: datetime) -> float:
    """Return for how many seconds a job has run, ran, or has waited until now."""
    since = job.submitted_at if job.state in WAITING else job.started_at or job.submitted_at
    if since is None:
        return 0.0
    until = parse_iso(job.ended_at) if job.ended_at else now.timestamp()
    return until - parse_iso(since)


def asks(job: JobView) -> str:
    """Return what a job asks for, for example `4c 8G 1gpu:6G`."""
    words = [f"{job.cores}c", format_mib(job.mem_mib)]
    if job.gpus:
        of = [job.gpu_type, format_mib(job.vram_mib) if job.vram_mib else ""]
        words.append(":".join([f"{job.gpus}gpu", *(one for one in of if one)]))
    return " ".join(words)


def counts_of(jobs: Sequence[JobView]) -> dict[str, int]:
    """Return how many jobs each state has; rq counts `held` jobs as deferred."""
    counts = Counter(str(job.state) for job in jobs)
    counts[HELD] = sum(bool(job.held) for job in jobs)
    return dict(counts)


def ended_of(counts: Mapping[str, int]) -> int:
    """Return how many jobs have ended; for a long queue only their total is known (`ended`)."""
    return sum(counts.get(state, 0) for state in (*ENDED, "ended"))


def total(counts: Mapping[str, int]) -> int:
    """Return the number of all jobs."""
    return sum(number for state, number in counts.items() if state != HELD)


def summary(counts: Mapping[str, int]) -> str:
    """Return how many jobs there are of each state, in the order of a job's life."""
    held = counts.get(HELD, 0)
    told = {**counts, State.DEFERRED: counts.get(State.DEFERRED, 0) - held}
    known = [state for state in (HELD, *map(str, State), "ended") if told.get(state)]
    parts = ", ".join(f"{told[state]} {state}" for state in known)
    return f"{count(total(counts), 'job')}: {parts}"
