"""What `mlq show` and `mlq ls` say of what a job measured and used."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlq.api.job_curves import JobCurves
from mlq.files.layout import Layout
from mlq.jobs.view import FIELDS, JobView, view
from mlq.metrics.extent import Extent, metrics_text
from mlq.metrics.series import Point
from mlq.metrics.usage import Sample, Used
from mlq.submit.secrecy import given
from mlq_cli.render.figures import figures_of
from mlq_cli.render.job_details import Known, details
from mlq_cli.render.jobs import job_table
from mlq_cli.render.style import Style

NOW = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)


def job(**fields: str) -> JobView:
    known = {
        "status": "started",
        "origin": "p0.c4.m8192.g1.v6144",
        "mlq_attempt": "1",
        "started_at": "2026-11-23T22:15:00.000000Z",
        **fields,
    }
    return view(["7", *(known.get(name, "") for name in FIELDS)], Layout(Path("/results")), 2048)


def shown(job: JobView, known: Known) -> list[str]:
    return details(job, given(""), "", NOW, Style(), known)


def listed(job: JobView) -> list[str]:
    return job_table([job], NOW, Style())


def test_progress_tells_step_and_time_left() -> None:
    half = job(mlq_progress="0.5", mlq_advance='{"step": 30, "total": 60, "left_s": 185.2}')
    assert "  progress   50%, step 30 of 60, about 3m5s left" in shown(half, Known())
    assert listed(half)[0].split()[:5] == ["ID", "STATE", "DONE", "TIME", "LEFT"]
    assert listed(half)[1].split()[:5] == ["7", "started", "50%", "15m", "3m5s"]


def test_an_inner_loop_is_shown_as_such() -> None:
    loop = job(mlq_advance='{"inner": 0.4}')
    assert "  progress   40% of a loop that starts over" in shown(loop, Known())
    assert listed(loop)[1].split()[:5] == ["7", "started", "loop", "40%", "15m"]
    assert "LEFT" not in listed(loop)[0]


def test_metrics_are_a_table_with_curves() -> None:
    metrics = {
        "loss": Extent(0.25, 60, 0.125, 58, 2.5, 1),
        "\x1b[31m": Extent(1, None, 1, None, 1, None),
    }
    points = [Point(step, step, {"loss": 2.5 / step}) for step in range(1, 61)]
    figures = figures_of(metrics_text(metrics), "", JobCurves(points))
    lines = shown(job(), Known(figures=figures))
    (header, loss) = lines[-2:]
    assert header.split() == ["METRIC", "LAST", "STEP", "MIN", "AT", "MAX", "AT", "CURVE"]
    assert loss.split()[:7] == ["loss", "0.2500", "60", "0.1250", "58", "2.500", "1"]
    assert loss.split()[7].startswith("█▃")
    without = shown(job(), Known(figures=figures_of(metrics_text(metrics), "", None)))
    assert without[-1].split() == ["loss", "0.2500", "60", "0.1250", "58", "2.500", "1"]


def test_what_was_used_is_told_and_drawn() -> None:
    used = Used(3, 30, 2.5, 3.9, 6000, 4000, 0.87, 30, "NVIDIA A")
    samples = [Sample(at, 0, float(at), 1000 * at, 4000, 0.5) for at in (1, 2, 4)]
    lines = shown(job(), Known(figures=figures_of("", used.text, JobCurves([], samples))))
    assert "  cores      ▃▅█  2.5 of 4 busy on average, 3.9 at most" in lines
    assert "  memory     ▃▅█  5.9G of 8G at most" in lines
    assert "  gpu        ▅▅▅  NVIDIA A, 87% busy on average, 3.9G of 6G at most" in lines


@pytest.mark.parametrize("state", ["started", "finished"])
def test_who_wastes_is_told_in_the_list(state: str) -> None:
    note = "its GPU sat idle: 3% busy on average"
    assert listed(job(status=state, mlq_notes=note))[1].endswith(note)
    failed = listed(job(status="failed", mlq_notes=note, mlq_reason="exit 1"))
    assert failed[1].endswith("exit 1")
