"""What the screen shows of the selected job: facts, the end of its log, a curve. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from mlq.jobs.lifecycle import ENDED, WAITING, State
from mlq.jobs.view import JobView
from mlq.metrics.extent import Extent
from mlq.store.reads import SweepSeen
from mlq_cli.render.jobs import asks, seconds_of, state_of
from mlq_cli.render.numbers import step_text
from mlq_cli.render.sparkline import sparkline
from mlq_cli.render.style import kind_of
from mlq_cli.render.sweeps import rounded_s, summary_line
from mlq_cli.render.table import Cell
from mlq_cli.render.words import elapsed, percent
from mlq_cli.top.bars import curve
from mlq_cli.top.lines import Line, cut, line

_LOW = 3  # a panel with fewer lines has a sparkline instead of a curve


class LogSeen(NamedTuple):
    """The end of the log of an attempt.

    Args:
        job_id, attempt: whose.
        lines: the last lines, cleaned, without colours.
        why: why there are none; "" if there are.
    """

    job_id: str = ""
    attempt: int = 0
    lines: Sequence[str] = ()
    why: str = ""


class CurveSeen(NamedTuple):
    """The values of one metric of a job, in order of its steps."""

    job_id: str = ""
    metric: str = ""
    values: Sequence[float] = ()


def log_title(job: JobView | None, sweep: SweepSeen | None) -> str:
    """Return the title above the log."""
    if sweep is not None:
        return f"sweep {sweep.number} {sweep.name}"
    if job is None:
        return "log"
    where = f" on {job.machine}" if job.machine and job.state not in WAITING else ""
    which = f", attempt {job.attempt}" if job.attempt > 1 else ""
    return f"log of {job.id} {job.name}".rstrip() + f"{which}{where}"


def facts(job: JobView, now: datetime, width: int) -> Line:
    """Return the most important facts of a job in one line."""
    word = state_of(job)
    parts = [Cell(word, kind_of(word))]
    counted = "" if job.step is None else f"step {step_text(job.step)}"
    if counted and job.total is not None:
        counted += f"/{step_text(job.total)}"
    left = "" if job.left_s is None else f"about {elapsed(rounded_s(job.left_s))} left"
    done = percent(job.progress) if job.state == State.STARTED else ""
    how_long = elapsed(seconds_of(job, now))
    time = f"waits {how_long}" if job.state in WAITING else how_long
    asked, why = f"asks for {asks(job)}", (job.reason, job.restraint, job.condition)
    for told in (done, counted, time, left, asked, *why):
        if told:
            parts += [Cell(" · ", "faint"), Cell(told)]
    return line(*cut(line(*parts).parts, width))


def sweep_facts(sweep: SweepSeen, width: int) -> list[Line]:
    """Return what there is to say of a sweep."""
    held = f"It is held: {sweep.held}" if sweep.held else ""
    told = [
        summary_line(sweep),
        held,
        "→ opens it, ← closes it: itself alone, members that run, all members",
    ]
    return [line(*cut((Cell(one),), width)) for one in told if one]


def log_lines(seen: LogSeen, job: JobView | None, late_s: float) -> list[Line]:
    """Return the lines of the log, or why there are none.

    Args:
        seen: what was read last.
        job: the selected job.
        late_s: for how many seconds the results root has not answered; 0 if it answers.
    """
    if job is None:
        return []
    is_of_job = seen.job_id == job.id and seen.attempt == job.attempt
    shown = [Line((Cell(one),)) for one in seen.lines] if is_of_job else []
    if late_s:
        text = f"the results root has not answered for {elapsed(late_s)}"
        return [*shown, line(Cell(text, "waiting"))]
    if shown:
        return shown
    return [line(Cell(_no_log(seen.why if is_of_job else "", job), "faint"))]


def _no_log(why: str, job: JobView) -> str:
    if not job.attempt:
        word = state_of(job)
        return f"it is {word}; its log begins when it starts (why it waits: mlq explain {job.id})"
    if why:
        return why
    return "it wrote nothing" if job.state in ENDED else "it has written nothing yet"


def metric_title(metrics: Sequence[str], metric: str) -> str:
    """Return the title above the curve: the metric, and which of how many it is."""
    if metric not in metrics:
        return "metrics"
    of = f"  {metrics.index(metric) + 1}/{len(metrics)}" if len(metrics) > 1 else ""
    return f"{metric}{of}"


def metric_lines(
    seen: CurveSeen, extent: Extent | None, job_id: str, width: int, height: int
) -> list[Line]:
    """Return the curve of a metric and its values, in at most `height` lines."""
    if extent is None:
        return [line(Cell("it has reported no metrics", "faint"))] if job_id else []
    numbers = Line(cut(_numbers(extent), width))
    values = seen.values if seen.job_id == job_id else ()
    if height < 2 or not values:
        return [numbers]
    rows = height - 1
    if rows < _LOW:
        return [Line((Cell(sparkline(values, width), "busy"),)), numbers]
    drawn = curve(values, width, rows)
    return [*(Line((Cell(one, "busy"),)) for one in drawn), numbers]


def _numbers(extent: Extent) -> list[Cell]:
    parts: list[Cell] = []
    for word, value, step in (
        ("last", extent.last, extent.last_step),
        ("min", extent.min, extent.min_step),
        ("max", extent.max, extent.max_step),
    ):
        at = "" if step is None else f" @{step_text(step)}"
        gap = [Cell("  ")] if parts else []
        parts += [*gap, Cell(f"{word} ", "faint"), Cell(f"{value:.4g}"), Cell(at, "faint")]
    return parts
