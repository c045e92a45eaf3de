"""Pilots on a real Slurm: submitted for jobs that wait, found again, and what keeps them away."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from local_lab import Lab
from slurm_cluster import SlurmCluster
from ssh_world import new_ssh_world
from waiting import wait_for

pytestmark = pytest.mark.slow
SETTINGS = {"MLQ_MAX_LOSSES": "0"}
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"
SHAPE = ("--", "-c", "2", "--mem=2000")


@pytest.fixture
def managed(slurm: SlurmCluster, lab: Lab) -> Iterator[Lab]:
    """A lab whose commands find the cluster; its pilots end with it."""
    # mlq's own sbatch comes first in PATH, as for those who use it, and is never taken.
    shims = lab.sandbox.ok("shims", "slurm").strip()
    lab.environ.update({**slurm.environment, "PATH": f"{shims}:{PATH}"})
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
    with manager(managed, *asked) as one, manager(managed, *asked) as other:
        managed.sh("echo never, for no pilot lasts so long", mem="100M", time="5h")
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
        assert [process.wait(30) for process in (one, other)] == [0, 0]
    assert pools(managed) == []


def test_what_slurm_refuses_is_shown_and_nothing_is_stored(managed: Lab) -> None:
    done = managed.sandbox.run("pilot", "slurm", "--time", "10m", "--", "-p", "nowhere")
    assert done.code == 1
    assert "slurm refuses such a pilot" in done.err
    assert "Invalid partition" in done.err
    assert pools(managed) == []
    shown = managed.sandbox.ok("pilot", "slurm", "--time", "10m", "--print", *SHAPE)
    assert shown.startswith("sbatch -c 2 --mem=2000 --parsable --job-name=mlq-")
    assert "worker start --foreground --for 600s --idle 300s" in shown
    assert pools(managed) == []


def test_once_starts_one_whatever_waits_and_stop_ends_it(managed: Lab, slurm: SlurmCluster) -> None:
    once = ("pilot", "slurm", "--time", "10m", "--once", *SHAPE)
    said = managed.sandbox.ok(*once)
    (name,) = names(slurm)
    assert said.startswith(f"{name} is job ")
    again = managed.sandbox.run(*once)
    assert (again.code, names(slurm)) == (1, [name])
    assert "it may have 1 at once" in again.err
    (pool,) = pools(managed)
    wait_for(lambda: pools(managed)[0]["pilots"][0]["machine"], what="its worker to be seen")
    assert "running" in managed.sandbox.ok("pilot", "ls")
    said = managed.sandbox.ok("pilot", "stop", pool["pool"])
    assert (
        said
        == f"pool {pool['pool']} is stopped; 0 pilots were ended; 1 run on until they are idle\n"
    )
    assert names(slurm) == [name]
    said = managed.sandbox.ok("pilot", "stop", "--all", "--now")
    assert "1 pilots were ended" in said
    wait_for(lambda: not names(slurm), what="the pilot to end")


def test_pilots_that_cannot_reach_the_queue_end_with_their_reason_and_pause_the_pool(
    managed: Lab, slurm: SlurmCluster
) -> None:
    there = managed.folder / "wrapped"
    there.mkdir()
    wrapper = there / "sbatch"
    wrapper.write_text(
        f'#!/bin/sh\nPATH={PATH}; sed "1a export MLQ_REDIS_SOCKET=/nowhere/x.sock" | sbatch "$@"\n'
    )
    wrapper.chmod(0o755)
    managed.environ["PATH"] = f"{there}:{managed.environ['PATH']}"
    managed.sh("true")
    began_s = time.monotonic()
    with manager(managed, "--time", "10m", "--after", "1s", *SHAPE):
        wait_for(lambda: pools(managed) and pools(managed)[0]["state"] == "paused", 90)
    (pool,) = pools(managed)
    assert time.monotonic() - began_s < 3 * 120
    assert pool["failed_in_a_row"] == 3
    assert "/nowhere/x.sock" in pool["reason"], pool
    assert ["/nowhere/x.sock" in one["reason"] for one in pool["pilots"]] == [True] * 3
    managed.sandbox.ok("pilot", "resume", pool["pool"])
    assert pools(managed)[0]["state"] == "active"


def test_a_submission_whose_answer_is_lost_is_found_by_its_name(
    managed: Lab, slurm: SlurmCluster
) -> None:
    there = managed.folder / "wrapped"
    there.mkdir()
    wrapper = there / "sbatch"
    wrapper.write_text(
        "#!/bin/sh\n"
        f'PATH={PATH}; case "$*" in *--test-only*) exec sbatch "$@";; esac\n'
        'sbatch "$@" >/dev/null; echo "sbatch: error: Socket timed out" >&2; exit 1\n'
    )
    wrapper.chmod(0o755)
    managed.environ["PATH"] = f"{there}:{managed.environ['PATH']}"
    job = managed.sh("true", mem="100M")
    with manager(managed, "--time", "10m", "--after", "1s", *SHAPE):
        managed.until(job, "finished")
        (pool,) = pools(managed)
        assert [one["state"] for one in pool["pilots"]] == ["running"]
        assert len(names(slurm)) == 1


def test_by_way_of_another_host_where_nothing_stays(managed: Lab, slurm: SlurmCluster) -> None:
    with new_ssh_world() as world:
        mark = f"PILOT_TEST={managed.folder}"
        own = f"XDG_RUNTIME_DIR={managed.environ['XDG_RUNTIME_DIR']}"
        given = [f"SLURM_CONF={slurm.environment['SLURM_CONF']}", mark, f"PATH={PATH}", own]
        host = world.host("login", SetEnv=" ".join(f'"{one}"' for one in given))
        del managed.environ["SLURM_CONF"]
        managed.environ["MLQ_SSH_CONFIG"] = str(world.config)
        job = managed.sh("true", mem="100M")
        asked = ("--time", "10m", "--after", "1s", "--via", "login", *SHAPE)
        with manager(managed, *asked):
            managed.until(job, "finished")
            # While the host is away nothing is known of the pilot, and no second one is submitted.
            host.stop()
            other = managed.sh("true", mem="100M")
            managed.until(other, "finished")
            host.start()
            wait_for(lambda: pools(managed)[0]["pilots"][0]["state"] == "running")
        assert len(names(slurm)) == 1
        wait_for(lambda: not _left_there(mark), 20, "nothing to be left on the host")
        managed.sandbox.run("pilot", "stop", "--all", "--now")
        wait_for(lambda: not names(slurm), what="the pilot to end")


def _left_there(mark: str) -> list[str]:
    """Return the commands of processes with this variable that are no job of Slurm's."""
    found = []
    for folder in Path("/proc").iterdir():
        with suppress(OSError):
            environ = (folder / "environ").read_bytes().decode(errors="replace").split("\0")
            if mark in environ and not any(one.startswith("SLURM_JOB_ID=") for one in environ):
                found.append((folder / "cmdline").read_bytes().decode(errors="replace"))
    return found
