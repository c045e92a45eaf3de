"""What a job measured and used, for `mlq show`: a table of its metrics, and small curves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from mlq.api.job_curves import JobCurves
from mlq.jobs.lifecycle import State
from mlq.jobs.view import JobView
from mlq.metrics.extent import Extent, parse_metrics
from mlq.metrics.series import Point, curve
from mlq.metrics.usage import Used, parse_used
from mlq.units import format_mib
from mlq_cli.render.numbers import number, step_text
from mlq_cli.render.sparkline import sparkline
from mlq_cli.render.style import Style
from mlq_cli.render.table import Cell, Column, table
from mlq_cli.render.words import about, elapsed, percent

_CURVE_WIDTH = 24
_COLUMNS = (
    Column("METRIC", least=12),
    Column("LAST", right=True),
    Column("STEP", 60, right=True),
    Column("MIN", 90, right=True),
    Column("AT", 50, right=True),
    Column("MAX", 90, right=True),
    Column("AT", 50, right=True),
    Column("CURVE", 40),
)


class JobFigures(NamedTuple):
    """A job's figures: from its hash, and the curves from the results root if that answers."""

    metrics: Mapping[str, Extent] = {}
    used: Used = Used()
    curves: JobCurves = JobCurves()

    def as_json(self) -> dict[str, Any]:
        """Return them as `--json` prints them."""
        metrics = {name: extent.as_json() for name, extent in self.metrics.items()}
        return {"metrics": metrics, "used": self.used.as_json()}


def figures_of(metrics: str, used: str, curves: JobCurves | None) -> JobFigures:
    """Return figures from the texts in a job's hash, and its curves."""
    return JobFigures(parse_metrics(metrics), parse_used(used), curves or JobCurves())


def progress_in_words(job: JobView) -> str:
    """Return how far a job is, in words; "" if that is unknown."""
    words = [percent(job.progress)] if job.progress is not None else []
    if job.step is not None and job.state != State.FINISHED:
        of = "" if job.total is None else f" of {step_text(job.total)}"
        words.append(f"step {step_text(job.step)}{of}")
    if job.inner is not None:
        words.append(f"{percent(job.inner)} of a loop that starts over")
    if job.left_s is not None:
        words.append(f"about {elapsed(job.left_s)} left")
    return ", ".join(words)


def used_in_words(job: JobView, used: Used) -> dict[str, str]:
    """Return what a job used, by what it is; empty without samples."""
    if not used.samples:
        return {"gpu": used.gpu_model} if used.gpu_model else {}
    found = {
        "cores": f"{used.cores:.1f} of {job.cores} busy on average, {used.cores_peak:.1f} at most",
        "memory": f"{about(used.mem_mib or 0)} of {format_mib(job.mem_mib)} at most",
    }
    if job.gpus:
        share = "" if used.gpu is None else f"{percent(used.gpu)} busy on average"
        of = f" of {format_mib(job.vram_mib)}" if job.vram_mib else ""
        memory = "" if used.vram_mib is None else f"{about(used.vram_mib)}{of} at most"
        found["gpu"] = ", ".join(one for one in (used.gpu_model, share, memory) if one)
    return found


def usage_curves(curves: JobCurves, job: JobView) -> dict[str, str]:
    """Return the curves of what a job used, by the same names as `used_in_words`."""
    samples = curves.samples
    if len(samples) < 2:
        return {}
    cores = sparkline([one.cores for one in samples], _CURVE_WIDTH, least=0, most=job.cores)
    memory = sparkline([float(one.mem_mib) for one in samples], _CURVE_WIDTH, least=0)
    shares = [one.gpu for one in samples if one.gpu is not None]
    found = {"cores": cores, "memory": memory}
    if len(shares) > 1:
        found["gpu"] = sparkline(shares, _CURVE_WIDTH, least=0, most=1)
    return found


def metric_table(metrics: Mapping[str, Extent], points: list[Point], style: Style) -> list[str]:
    """Return the lines of the table of a job's metrics; none without metrics."""
    if not metrics:
        return []
    rows = [
        [
            Cell(name),
            Cell(number(extent.last)),
            Cell(step_text(extent.last_step)),
            Cell(number(extent.min)),
            Cell(step_text(extent.min_step)),
            Cell(number(extent.max)),
            Cell(step_text(extent.max_step)),
            Cell(sparkline([value for _, value in curve(points, name)], _CURVE_WIDTH)),
        ]
        for name, extent in metrics.items()
    ]
    return table(_COLUMNS, rows, style)
