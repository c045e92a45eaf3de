"""Jobs are queued again: by themselves, with and without the queue, and by their user."""

from __future__ import annotations

import venv
from pathlib import Path

import pytest
from local_lab import PATIENT, Lab
from sandbox import MLQ
from waiting import wait_for

pytestmark = pytest.mark.slow

SETTINGS = PATIENT
AWAY = "MLQ_SOCKET=/nowhere"
ASKED = "queued again: it asked for that"


def test_a_job_asks_while_the_queue_cannot_be_reached(lab: Lab, tmp_path: Path) -> None:
    """One in a trap and then exits 0, one from a Python without mlq, one that goes on running."""
    lab.machine("lab01")
    trap = f"trap '{AWAY} {MLQ} requeue; exit 0' EXIT; [ $MLQ_ATTEMPT = 2 ] && trap - EXIT; exit 0"
    venv.create(tmp_path / "venv", symlinks=True)
    code = "import os, mlq\nif os.environ['MLQ_ATTEMPT'] == '1': mlq.requeue(); raise SystemExit(7)"
    alone = lab.sandbox.submit(str(tmp_path / "venv/bin/python"), "-c", code)
    jobs = [lab.sh(trap), alone]
    jobs.append(
        lab.sh(f"[ $MLQ_ATTEMPT = 2 ] || {{ {AWAY} {MLQ} requeue $MLQ_JOB_ID; sleep 60; }}")
    )
    for job in jobs:
        ended = lab.until(job, "finished")
        assert (ended.attempt, ended.losses) == (2, 0)
        assert lab.ends(job) == [ASKED, ""]


def test_its_user_queues_it_again_and_a_cancel_stays(lab: Lab) -> None:
    lab.machine("lab01")
    job = lab.sh("[ $MLQ_ATTEMPT = 2 ] || sleep 60", retries=1, signal="USR1")
    lab.until(job, "started")
    wait_for(lambda: lab.sandbox.run("requeue", job).code == 0)
    assert lab.until(job, "finished", 2).attempt == 2
    assert lab.ends(job) == ["queued again by its user", ""]
    again = lab.sandbox.run("requeue", job)
    assert (again.code, "mlq retry" in again.err) == (1, True)
    canceled = lab.sh(
        "trap ': >\"$MLQ_REQUEUE_FILE\"' TERM; echo yes >ready; while :; do sleep 0.05; done"
    )
    lab.file("ready")
    lab.sandbox.ok("cancel", canceled)
    assert lab.until(canceled, "canceled").attempt == 1


def test_five_in_a_row_at_once_fail_the_job(lab: Lab) -> None:
    lab.machine("lab01")
    job = lab.sh(f"{MLQ} requeue; exit 0", retries=3)
    ended = lab.until(job, "failed")
    assert ended.attempt == 5
    assert ended.reason.startswith("5 attempts in a row asked to be queued again within 10s")
