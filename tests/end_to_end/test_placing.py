"""A machine that fails everything must not eat the queue, and no job must wait without need."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

from local_lab import PATIENT, Lab, Machine
from waiting import wait_for

from mlq.submit.submission import Submission

SETTINGS = PATIENT


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


def test_an_environment_whose_python_only_one_machine_has(lab: Lab) -> None:
    local = with_share(lab, lab.machine("lab01", own_mounts=True))
    lab.machine("lab02", own_mounts=True)
    venv = lab.folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    python = local / "python"
    make = lab.sandbox.submit("ln", "-s", sys.executable, str(python), machine="lab01")
    lab.until(make, "finished")
    (venv / "bin" / "python").unlink()
    (venv / "bin" / "python").symlink_to(python)
    script = "import sys; print(sys.prefix)"
    jobs = [
        lab.sandbox.submit("python", "-c", script, python_env=str(venv), cores=2) for _ in range(6)
    ]
    ended = [lab.until(job, "finished", timeout_s=60) for job in jobs]
    assert {(job.machine, lab.log(job.id, job.attempt).decode()) for job in ended} == {
        ("lab01", f"{venv}\n")
    }
    reason = f"Python environment cannot be used: {venv}: its Python is {python}, which is missing"
    (lacks,) = lab.until_shown("lab02", lambda row: row["lacks"])
    assert (lacks["kind"], lacks["what"], lacks["reason"]) == ("environment", str(venv), reason)


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


# --- retries and losses ---------------------------------------------------------------------------


def test_a_retry_goes_to_another_machine(lab: Lab) -> None:
    share = lab.folder / "share"
    with_share(lab, lab.machine("lab01", "--cores", "1", own_mounts=True))
    gate = "until [ -e begin ]; do sleep 0.05; done"
    full = lab.sh(gate, machine="lab01")
    lab.until(full, "started")
    lab.machine("lab02", own_mounts=True)
    job = lab.sh(f"ls {share}/project", retries=3)
    lab.until(job, "scheduled")
    lab.open("begin")
    ended = lab.until(job, "finished")
    assert (ended.machine, ended.failures) == ("lab01", 1)


def test_a_restarted_supervisor_is_no_reason_to_wait_for_a_full_machine(lab: Lab) -> None:
    # Whoever avoided it would let others go first for two minutes.
    lab.environ["MLQ_POLL_S"] = "60"
    first = lab.machine("lab01")
    lab.machine("lab02")
    wait = "until [ -e end ]; do sleep 0.05; done"
    full = lab.sh(wait, cores=2, machine="lab02")
    job = lab.sh(wait, machine="lab0[12]")
    lab.until(full, "started")
    lab.until(job, "started")
    first.kill("supervisor")
    again = lab.until(job, "started", attempt=2)
    assert (again.machine, again.losses) == ("lab01", 1)
    lab.open("end")
    lab.until(job, "finished", attempt=2)


def test_a_job_whose_own_folder_cannot_be_written_is_given_up_and_stops_nobody(lab: Lab) -> None:
    lab.machine("lab01")
    (lab.layout.jobs_dir).mkdir(exist_ok=True)
    job = str(lab.queue.store.reserve_numbers(1) + 1)
    lab.layout.job_dir(job).mkdir()
    (lab.layout.job_dir(job) / "attempts").touch()  # as good as read-only, to root too
    assert lab.sh("true") == job
    other = lab.sh("true")
    assert lab.until(other, "finished").attempt == 1
    ended = lab.until(job, "failed")
    assert ended.reason.startswith(f"cannot write {lab.layout.job_dir(job)}/attempts")
    assert ended.reason.endswith("; tried 3 times")
    assert (ended.attempt, ended.failures) == (3, 0)
    assert lab.shown("lab01")["note"] == ""


# --- commands that fail everywhere, machines that fail everything ---------------------------------


def states(lab: Lab) -> Counter[str]:
    return Counter("held" if job.held else job.state for job in lab.queue.every())


def until_settled(lab: Lab) -> Counter[str]:
    """Wait until every job has ended or is held; return how many are in each state."""
    busy = ("queued", "started", "scheduled", "deferred")
    wait_for(lambda: not any(states(lab)[one] for one in busy), timeout_s=60, what="all to settle")
    return states(lab)


def test_a_typo_costs_few_jobs_and_the_others_wait_until_it_is_mended(lab: Lab) -> None:
    for name in ("lab01", "lab02"):
        lab.machine(name)
    script = lab.folder / "train.py"
    script.write_text("import time\nprnt(time.time())\n")
    command = Submission(cwd=str(lab.folder), python_env="")
    rates = [command.with_argv((sys.executable, "train.py", str(n))) for n in range(60)]
    jobs = [job.id for job in lab.queue.submit(rates)]
    found = until_settled(lab)
    # What ran already, or was claimed in the same moment, could not be held any more.
    assert 1 <= found["failed"] <= 20, found
    assert found["held"] == 60 - found["failed"]
    last = jobs[-1]
    assert "NameError: name 'prnt' is not defined" in lab.job(last).held
    assert "held" in lab.sandbox.ok("ls")
    assert "mlq release --all" in lab.sandbox.ok("ls", "--state", "held")
    told = lab.sandbox.ok("explain", last)
    assert f"mlq release {last}" in told
    assert "has started well" not in told
    # What is enqueued from now on runs: its user may have mended it.
    script.write_text("print(1)\n")
    lab.until(lab.sandbox.submit(sys.executable, "train.py", "new"), "finished")
    assert lab.job(last).held
    assert "has started well" in lab.sandbox.ok("explain", last)
    assert lab.sandbox.run("cancel", last).code == 0
    assert lab.job(last).state == "canceled"
    lab.sandbox.ok("release", "--all")
    ended = until_settled(lab)
    assert ended == {"failed": found["failed"], "finished": 60 - found["failed"], "canceled": 1}
    assert lab.sandbox.run("release", "--all").code == 1


def test_short_jobs_that_were_claimed_ahead_are_held_too(lab: Lab) -> None:
    lab.machine("lab01")
    script = lab.folder / "step.sh"
    script.write_text("exit 0\n")
    for number in range(40):
        lab.sandbox.submit("sh", "step.sh", str(number))
    until_settled(lab)
    script.write_text("exit 3\n")
    step = Submission(cwd=str(lab.folder), python_env="")
    jobs = lab.queue.submit([step.with_argv(("sh", "step.sh", str(n))) for n in range(200)])
    found = until_settled(lab)
    assert found["failed"] + found["held"] == len(jobs)
    assert found["failed"] <= 100, found


def test_a_machine_that_fails_everything_is_set_aside(lab: Lab) -> None:
    share = lab.folder / "share"
    with_share(lab, lab.machine("lab01", own_mounts=True))
    lab.until(lab.sh("true"), "finished")
    lab.machine("lab02", own_mounts=True)
    script = "ls {share}/project && until [ -e end ]; do sleep 0.05; done # {n}"
    shell = Submission(cwd=str(lab.folder), python_env="")
    texts = [script.format(share=share, n=n) for n in range(20)]
    lab.queue.submit([shell.with_argv(("/bin/sh", "-c", text)) for text in texts])
    shown = lab.until_shown("lab02", lambda row: row if row["aside"] else None)
    assert not shown["offering"]
    assert shown["note"].startswith("set aside: ")
    assert "jobs in a row failed within 20s here and go well elsewhere" in shown["note"]
    assert "set aside" in lab.sandbox.ok("machines")
    (told,) = lab.doctor("set aside")
    assert (told["level"], told["says"].split(":")[0]) == ("warning", "lab02")
    lab.open("end")
    # What failed before it was set aside ran again elsewhere.
    assert until_settled(lab) == {"finished": 21}


def test_a_broken_machine_does_not_eat_a_sweep(lab: Lab) -> None:
    script = lab.folder / "train.sh"
    script.write_text('[ "$TZ" != broken ] || exit 3\nuntil [ -e end ]; do sleep 0.05; done\n')
    sweep = lab.sandbox.ok(
        *("enqueue", "-n", "grid", "--clean-env", "--param", "n=0..11", "--", "sh", "train.sh"),
        "{n}",
    )
    assert "12 enqueued" in sweep
    # More members fail at once here than would hold a sweep; the other machine has never run a job.
    lab.machine("lab01")
    wait_for(lambda: states(lab)["started"] == 2, what="two members to run")
    lab.machine("lab02", "--cores", "8", environ={"TZ": "broken"})
    shown = lab.until_shown("lab02", lambda row: row if row["aside"] else None)
    assert (
        "jobs in a row failed within 20s here and go well elsewhere (last: exit 3" in shown["note"]
    )
    wait_for(lambda: states(lab) == {"started": 2, "queued": 10}, what="all to wait for lab01")
    assert "held" not in lab.sandbox.ok("ls")
    lab.open("end")
    assert until_settled(lab) == {"finished": 12}


def test_only_one_of_two_machines_is_there_and_different_jobs_fail(lab: Lab) -> None:
    lab.machine("lab01")
    jobs = [lab.sh(f"exit 3 # {number}") for number in range(8)]
    assert [lab.until(job, "failed").attempt for job in jobs] == [1] * 8
    assert lab.shown("lab01")["aside"] == {}
