"""The row behind `mlq ls`, and the `--json` contract."""

import json
from pathlib import Path

import pytest

from mlq.files.layout import Layout
from mlq.jobs.view import FIELDS, JobView, view

LAYOUT = Layout(Path("/results"))


def row(job_id: str = "7", **values: str) -> list[str]:
    usual = {
        "status": "started",
        "origin": "p2.c4.m8192.g1.v6000@gpu*",
        "description": "python train.py",
        "mlq_name": "lr",
        "timeout": "7200",
        "dependency_ids": '["6"]',
        "mlq_attempt": "2",
        "mlq_machine": "gpu07",
        "created_at": "2026-11-23T22:15:01.000000Z",
        "started_at": "2026-11-23T22:16:01.000000Z",
    }
    return [job_id, *({**usual, **values}.get(name, "") for name in FIELDS)]


def seen(**values: str) -> JobView:
    return view(row(**values), LAYOUT, 2048)


def test_json_has_the_fields_of_the_contract() -> None:
    job = seen(mlq_progress="0.25").as_json()
    contract = {
        "id": "7",
        "name": "lr",
        "state": "started",
        "command": "python train.py",
        "attempt": 2,
        "machine": "gpu07",
        "cores": 4,
        "mem_mib": 8192,
        "gpus": 1,
        "vram_mib": 6000,
        "priority": 2,
        "time_limit_s": 7200.0,
        "submitted_at": "2026-11-23T22:15:01.000000Z",
        "started_at": "2026-11-23T22:16:01.000000Z",
        "ended_at": None,
        "exit_code": None,
        "reason": "",
        "progress": 0.25,
        "directory": "/results/jobs/7",
    }
    assert {name: job[name] for name in contract} == contract
    assert json.loads(json.dumps(job))["after"] == ["6"]


def test_what_has_not_come_yet_is_null() -> None:
    job = view(["7", "queued", "p0.c1.m1.g0.v0", *[""] * (len(FIELDS) - 2)], LAYOUT, 2048)
    assert (job.machine, job.submitted_at, job.started_at, job.ended_at) == (None,) * 4
    assert (job.exit_code, job.progress, job.time_limit_s, job.attempt) == (None, None, None, 0)


def test_a_job_of_plain_rq_shows_what_it_will_be_given() -> None:
    missing = dict.fromkeys(("mlq_name", "timeout", "dependency_ids"), "")
    job = seen(origin="default", description="os.getcwd()", **missing)
    assert (job.cores, job.mem_mib, job.gpus, job.priority) == (1, 2048, 0, 0)
    assert (job.name, job.after, job.time_limit_s) == ("", (), None)


def test_a_running_job_that_is_to_stop_says_so_and_an_ended_one_says_how_it_ended() -> None:
    assert seen(mlq_stop="canceled").reason == "stopping: canceled"
    ended = seen(status="failed", mlq_stop="canceled", mlq_reason="exit 1", mlq_exit_code="1")
    assert (ended.reason, ended.exit_code) == ("exit 1", 1)


@pytest.mark.parametrize(
    ("state", "text", "used"),
    [
        ("finished", "12.5 1536", (12.5, 1536)),
        ("started", "12.5 1536", (None, None)),
        ("queued", "", (None, None)),
        *(("failed", text, (None, None)) for text in ("x", "1", "nan 3", "1 -1", "1e99 1", "1 x")),
    ],
)
def test_what_its_last_attempt_used(
    state: str, text: str, used: tuple[float | None, int | None]
) -> None:
    job = seen(status=state, mlq_usage=text)
    assert (job.cpu_s, job.max_rss_mib) == used


@pytest.mark.parametrize(
    ("text", "progress"),
    [
        ("0.5", 0.5),
        ("1.5", 1.0),
        ("-1", 0.0),
        ("nan", None),
        ("inf", None),
        ("", None),
        ("x", None),
    ],
)
def test_progress_is_a_share_or_nothing(text: str, progress: float | None) -> None:
    assert seen(mlq_progress=text).progress == progress


@pytest.mark.parametrize("text", ["{", "[3]", "3", "null", '{"name": 3, "after": 4}', "-1", "nan"])
def test_a_job_that_somebody_altered_is_still_listed(text: str) -> None:
    job = seen(dependency_ids=text, mlq_time_limit_s="x", mlq_grace_s=text, mlq_signal="")
    assert (job.id, job.command, job.name) == ("7", "python train.py", "lr")
    assert (job.after, job.time_limit_s, job.signal) == ((), 7200.0, None)


def test_a_limit_of_half_a_second_is_shown_as_it_is() -> None:
    assert seen(timeout="1", mlq_time_limit_s="0.5").time_limit_s == 0.5
    assert seen(timeout="-1").time_limit_s is None
