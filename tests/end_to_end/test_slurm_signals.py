"""`scancel --signal`: what reaches the processes of a job, here and on a real Slurm."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from local_lab import PATIENT, new_lab
from slurm_cluster import SlurmCluster
from slurm_shims import Slurm
from waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.one_server]

TELLS = """
import os, signal, sys
def write(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())
name = sys.argv[1]
for number in (signal.SIGUSR1, signal.SIGTERM):
    signal.signal(number, lambda got, _: write(name, signal.Signals(got).name))
write(name, "up")
while True:
    signal.sigtimedwait((), 0.1)
"""
SCRIPT = """#!/bin/bash
trap 'echo script SIGUSR1' USR1; trap 'echo script SIGTERM' TERM
{tells} beside &
{steps}
while :; do wait; done
"""
STEPS = "srun -n2 {tells} rank &"
KILL_WAITS = "Job can not be altered now, try again later"
INVALID = "Invalid job id specified"


@pytest.fixture(scope="module")
def shims() -> Iterator[Slurm]:
    """A lab with one machine of two cores, and Slurm's commands for it."""
    with new_lab(**PATIENT) as lab:
        lab.machine("gpu07", "--cores", "4")
        yield Slurm(lab)


def script(folder: Path, steps: str = "") -> str:
    """A batch script in which each process tells of its signals."""
    program = folder / "tells.py"
    program.write_text(TELLS)
    tells = f"{sys.executable} {program}"
    return SCRIPT.format(tells=tells, steps=steps.format(tells=tells))


def signals(log: str) -> list[str]:
    """Who got which signal, from what a job has written."""
    return sorted(one for one in log.splitlines() if " SIG" in one)


def text_of(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def until_up(log: Callable[[], str], count: int) -> None:
    wait_for(lambda: log().count(" up\n") == count, what=f"{count} programs")


EXPECTED = {
    ("-s", "USR1"): ["rank SIGUSR1", "rank SIGUSR1"],
    ("-s", "USR1", "--batch"): ["script SIGUSR1"],
    ("-s", "SIGUSR1", "-f"): [f"{one} SIGUSR1" for one in ("beside", "rank", "rank", "script")],
    ("-s", "15"): ["rank SIGTERM", "rank SIGTERM"],
}


@pytest.mark.parametrize("options", EXPECTED, ids=" ".join)
def test_with_ranks_as_a_real_slurm_does_it(
    slurm: SlurmCluster, shims: Slurm, options: tuple[str, ...]
) -> None:
    real = slurm.submit(script(slurm.folder, STEPS), "-n2", "--mem=100")
    text = script(shims.folder, STEPS)
    ours = shims.ok("sbatch", "--parsable", "-n2", "--mem=50M", text=text).strip()
    logs = (
        lambda: slurm.log(real),
        lambda: text_of(shims.folder / f"slurm-{ours}.out"),
    )
    shims.lab.until(ours, "started")
    for log in logs:
        until_up(log, 3)
    slurm.cancel(*options, real)
    shims.ok("scancel", *options, ours)
    for log in logs:
        wait_for(lambda log=log: signals(log()) == EXPECTED[options], what=f"{options}")
    slurm.cancel(real)
    shims.ok("scancel", ours)
    shims.lab.until(ours, "canceled")


def test_kill_cancels_and_for_the_script_alone_fails_the_job(shims: Slurm) -> None:
    """As measured on Slurm 22.05."""
    for options, state in (
        (("-s", "KILL"), "canceled"),
        (("-f",), "canceled"),
        (("-b",), "failed"),
    ):
        job = shims.ok("sbatch", "--parsable", "--mem=50M", text=script(shims.folder)).strip()
        shims.lab.until(job, "started")
        until_up(lambda job=job: text_of(shims.folder / f"slurm-{job}.out"), 1)
        shims.ok("scancel", *options, job)
        ended = shims.lab.until(job, state)
        assert (ended.attempt, "SIGKILL" in ended.reason) == (1, state == "failed")


def test_members_and_arrays_and_jobs_that_do_not_run(shims: Slurm) -> None:
    """Two of three members run; the third waits for them, as a real Slurm says."""
    options = ("--parsable", "--mem=50M", "-c1", "--array=1,4,9%2")
    array = shims.ok("sbatch", *options, text=script(shims.folder)).strip()
    runs = [shims.folder / f"slurm-{array}_{one}.out" for one in (1, 4)]
    for one in (1, 4):
        shims.lab.until(f"{array}_{one}", "started")
    for log in runs:
        until_up(lambda log=log: text_of(log), 1)
    shims.ok("scancel", "-s", "USR1", f"{array}_4")
    wait_for(lambda: signals(runs[1].read_text()) == ["beside SIGUSR1"])
    refused = shims.fails("scancel", "-s", "USR1", array)
    assert refused == f"scancel: error: Kill job error on job id {array}_9: {KILL_WAITS}\n"
    wait_for(lambda: signals(runs[1].read_text()) == ["beside SIGUSR1"] * 2)
    wait_for(lambda: signals(runs[0].read_text()) == ["beside SIGUSR1"])
    shims.ok("scancel", "-s", "TERM", "-t", "RUNNING", "-n", "sbatch")
    wait_for(lambda: all("beside SIGTERM" in log.read_text() for log in runs))
    shims.ok("scancel", "-b", f"{array}_9")
    assert shims.lab.job(f"{array}_9").state == "canceled"
    assert INVALID in shims.fails("scancel", "-s", "USR1", f"{array}_9")
    shims.ok("scancel", array)
    for one in (1, 4):
        shims.lab.until(f"{array}_{one}", "canceled")


def test_a_worker_that_dies_between_delivers_once() -> None:
    """One signal comes while no worker runs, one before the worker could say that it was sent."""
    with new_lab(**PATIENT) as lab:
        machine = lab.machine("gpu07")
        shims = Slurm(lab)
        job = shims.ok("sbatch", "--parsable", "--mem=50M", text=script(shims.folder)).strip()
        lab.until(job, "started")
        log = shims.folder / f"slurm-{job}.out"
        until_up(lambda: text_of(log), 1)
        for count in (1, 2, 3):
            if count == 2:
                machine.kill("worker")
            shims.ok("scancel", "-s", "USR1", job)
            if count == 2:
                machine.start()
            wait_for(lambda count=count: signals(log.read_text()) == ["beside SIGUSR1"] * count)
            if count == 1:
                machine.kill("worker")
                machine.start()
        machine.until_beats(3)
        assert signals(log.read_text()) == ["beside SIGUSR1"] * 3
        assert lab.job(job).attempt == 1
