"""A machine that fails everything must not eat the queue, and no job must wait without need."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from local_lab import Lab, Machine


def with_share(lab: Lab, machine: Machine) -> Path:
    """Mount a share with a folder `project` that only this machine has; returns the folder."""
    share = lab.folder / "share"
    share.mkdir(exist_ok=True)
    script = 'mount -t tmpfs tmpfs "$0"; mkdir "$0/project"'
    enter = ["nsenter", "--mount", f"--target={machine.pid('supervisor')}"]
    subprocess.run([*enter, "sh", "-ec", script, str(share)], check=True)
    return share / "project"


def test_a_machine_without_the_mount_leaves_the_jobs_to_one_that_has_it(lab: Lab) -> None:
    project = with_share(lab, lab.machine("lab01", own_mounts=True))
    lab.machine("lab02", own_mounts=True)
    jobs = [lab.sh("sleep 0.1", cwd=str(project)) for _ in range(12)]
    ended = [lab.until(job, "finished", timeout_s=60) for job in jobs]
    assert {job.machine for job in ended} == {"lab01"}
    assert sum(job.failures for job in ended) == 0
    # Each of its two cores met the folder at most once or twice before it was known to be missing.
    assert sum(job.attempt - 1 for job in ended) <= 4
    reason = f"working directory missing: {project}"
    (lacks,) = lab.until_shown("lab02", lambda row: row["lacks"])
    assert (lacks["kind"], lacks["what"], lacks["reason"]) == ("folder", str(project), reason)
    assert reason in lab.sandbox.ok("machines")


def test_what_no_machine_has_fails_the_job_and_names_them(lab: Lab) -> None:
    lab.machine("lab01")
    lab.machine("lab02")
    ended = [
        lab.until(job, "failed")
        for job in [lab.sandbox.submit("true", cwd="/nowhere") for _ in range(4)]
    ]
    names = ("lab01 and lab02", "lab02 and lab01")
    assert {job.reason for job in ended} <= {
        f"working directory missing: /nowhere, on {one}" for one in names
    }


def test_explain_says_what_a_machine_lacks(lab: Lab) -> None:
    first = lab.machine("lab01", own_mounts=True)
    project = with_share(lab, first)
    lab.machine("lab02", own_mounts=True)
    full = lab.sh("until [ -e end ]; do sleep 0.05; done", cores=2, machine="lab01")
    lab.until(full, "started")
    job = lab.sh("true", cwd=str(project))
    lab.until_shown("lab02", lambda row: row["lacks"])
    told = lab.sandbox.ok("explain", job)
    assert f"working directory missing: {project}" in told
    verdicts = json.loads(lab.sandbox.ok("explain", job, "--json"))[0]["machines"]
    assert {one["machine"]: one["fits"] for one in verdicts} == {"lab01": "later", "lab02": "later"}
    lab.open("end")
    assert lab.until(job, "finished").machine == "lab01"
