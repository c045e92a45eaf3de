"""Jobs as a table and one by one."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from mlq.given import Given
from mlq.lifecycle import ENDED, WAITING, State
from mlq.units import format_duration, format_mib, parse_iso
from mlq.views import JobView
from mlq_cli.render.clean import clean
from mlq_cli.render.style import Style, kind_of
from mlq_cli.render.table import Cell, Column, table
from mlq_cli.render.words import count, elapsed, moment, percent

_COLUMNS = (
    Column("ID"),
    Column("STATE"),
    Column("DONE", 90, right=True),
    Column("TIME", 80, right=True),
    Column("MACHINE", 70, least=8),
    Column("ATTEMPT", 45, right=True),
    Column("ASKS", 40),
    Column("NAME", 60, least=16),
    Column("COMMAND", 50, least=24),
    Column("REASON", 85, least=18),
)
_LABEL_WIDTH = 11


def job_table(jobs: Sequence[JobView], now: datetime, style: Style) -> list[str]:
    """Return the lines of `mlq ls`."""
    return table(_COLUMNS, [_row(job, now) for job in jobs], style)


def _row(job: JobView, now: datetime) -> list[Cell]:
    kind = kind_of(job.state)
    return [
        Cell(job.id, "strong" if job.state == State.STARTED else ""),
        Cell(job.state, kind),
        Cell(percent(job.progress) if job.state == State.STARTED else ""),
        Cell(elapsed(seconds_of(job, now)), "faint" if job.state in WAITING else ""),
        Cell(job.machine or "" if job.state not in WAITING else ""),
        Cell(str(job.attempt) if job.attempt > 1 else ""),
        Cell(asks(job), "faint"),
        # A job without a name goes by its command.
        Cell(job.name) if job.name else Cell(job.command, "faint"),
        Cell(job.command if job.name else ""),
        _remark(job, kind),
    ]


def _remark(job: JobView, kind: str) -> Cell:
    if job.state in ENDED:
        return Cell(job.reason, kind)
    said = "; ".join(one for one in (job.reason, job.condition) if one)
    return Cell(said, "waiting" if job.condition else "")


def seconds_of(job: JobView, now: datetime) -> float:
    """Return how long a job runs, ran, or has waited until now."""
    since = job.submitted_at if job.state in WAITING else job.started_at or job.submitted_at
    if since is None:
        return 0.0
    until = parse_iso(job.ended_at) if job.ended_at else now.timestamp()
    return until - parse_iso(since)


def asks(job: JobView) -> str:
    """Return what a job asks for, for example `4c 8G 1gpu:6G`."""
    words = [f"{job.cores}c", format_mib(job.mem_mib)]
    if job.gpus:
        words.append(f"{job.gpus}gpu" + (f":{format_mib(job.vram_mib)}" if job.vram_mib else ""))
    return " ".join(words)


def summary(jobs: Sequence[JobView]) -> str:
    """Return how many jobs there are of each state, in the order of a job's life."""
    counts = Counter(job.state for job in jobs)
    known = [str(state) for state in State if counts[state]]
    parts = ", ".join(f"{counts[state]} {state}" for state in known)
    return f"{count(len(jobs), 'job')}: {parts}"


def details(job: JobView, variables: Given, log: str, now: datetime, style: Style) -> list[str]:
    """Return everything worth knowing about one job, a line each.

    Args:
        job: the job.
        variables: what it is given of its caller's.
        log: where the log of its last attempt lies, or "".
        now: the present, in the zone to show.
        style: how to render.
    """
    title = clean(f"{job.id} {job.name}").rstrip()
    lines = [f"{style.paint(title, 'strong')}  {style.paint(clean(job.state), kind_of(job.state))}"]
    facts = {
        "reason": job.reason,
        "command": job.command,
        "asks for": _in_words(job),
        "priority": str(job.priority) if job.priority else "",
        "after": ", ".join(job.after),
        "env": " ".join(shlex.quote(f"{n}={one}") for n, one in variables.env.items()),
        "captured": _captured(variables),
        "secrets": ", ".join(variables.secrets),
        "progress": percent(job.progress),
        "machine": job.machine or "",
        "condition": job.condition,
        "attempt": _attempts(job),
        "exit code": "" if job.exit_code is None else str(job.exit_code),
        "submitted": _time(job.submitted_at, now),
        "started": _time(job.started_at, now),
        "ended": _time(job.ended_at, now),
        "took" if job.ended_at else "time": elapsed(seconds_of(job, now)),
        "folder": job.directory,
        "log": log,
    }
    lines += [f"  {label:<{_LABEL_WIDTH}}{clean(text)}" for label, text in facts.items() if text]
    return lines


def _captured(variables: Given) -> str:
    number = len(variables.captured_env)
    return f"{count(number, 'variable')} of its shell (--json lists them)" if number else ""


def _in_words(job: JobView) -> str:
    words = [count(job.cores, "core"), f"{format_mib(job.mem_mib)} of memory"]
    if job.gpus:
        vram = f"{format_mib(job.vram_mib)} free on each" if job.vram_mib else "alone on each"
        words.append(f"{count(job.gpus, 'GPU')} ({vram})")
    if job.time_limit_s:
        words.append(f"at most {format_duration(job.time_limit_s)}")
    return ", ".join(words)


def _attempts(job: JobView) -> str:
    if not job.attempt:
        return ""
    lost = f"{job.losses} lost with their machine" if job.losses else ""
    failed = f"{job.failures} failed" if job.failures else ""
    past = ", ".join(part for part in (lost, failed) if part)
    return f"{job.attempt} ({past})" if past else str(job.attempt)


def _time(iso: str | None, now: datetime) -> str:
    return moment(iso, now) if iso else ""
