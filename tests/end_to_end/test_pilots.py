"""Pilots on a real Slurm: submitted for jobs that wait, found again, and what keeps them away."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from local_lab import Lab
from slurm_cluster import SlurmCluster
from waiting import wait_for

pytestmark = pytest.mark.slow
SETTINGS = {"MLQ_MAX_LOSSES": "0"}
SHAPE = ("--", "-c", "2", "--mem=2000")


@pytest.fixture
def managed(slurm: SlurmCluster, lab: Lab) -> Iterator[Lab]:
    """A lab whose commands find the cluster; its pilots end with it."""
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    lab.environ.update({**slurm.environment, "PATH": path})
    yield lab
    slurm.cancel("--signal=KILL", "--full", "--user=root")
    slurm.cancel("--user=root")


def pools(lab: Lab) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(lab.sandbox.run("pilot", "ls", "--json").out)
    return found


@contextmanager
def manager(lab: Lab, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    with lab.sandbox.started("pilot", "slurm", *words) as process:
        yield process
        process.send_signal(signal.SIGINT)
        process.wait(30)


def names(slurm: SlurmCluster) -> list[str]:
    return slurm.run("squeue", "-h", "-o", "%j").split()


def test_a_pilot_comes_for_jobs_that_wait_and_leaves_when_idle(
    managed: Lab, slurm: SlurmCluster
) -> None:
    asked = ("--time", "10m", "--after", "1s", "--idle", "3s", *SHAPE)
    with manager(managed, *asked), manager(managed, *asked):
        jobs = [managed.sh(f"echo {index}", mem="100M") for index in range(4)]
        for job in jobs:
            managed.until(job, "finished")
        (pool,) = pools(managed)
        assert len(pool["pilots"]) == 1, "two managers have one pilot, as --max says"
        assert managed.job(jobs[0]).machine == f"slurm-{pool['pilots'][0]['job']}"
        wait_for(lambda: not names(slurm), 60, "the idle pilot to end")
        wait_for(lambda: pools(managed)[0]["pilots"][0]["state"] == "ended")
    assert pools(managed)[0]["failed_in_a_row"] == 0
    managed.sandbox.ok("pilot", "stop", "--all")
    assert pools(managed) == []
