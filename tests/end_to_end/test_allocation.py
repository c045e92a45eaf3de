"""Workers inside allocations of a real Slurm: what they offer, and that nothing outlives them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from local_lab import Lab
from sandbox import MLQ
from slurm_cluster import SlurmCluster, slurm_cluster
from waiting import wait_for

from mlq_worker.ipc import procfs

pytestmark = pytest.mark.slow
SETTINGS = {"MLQ_MAX_LOSSES": "0", "MLQ_STOP_GRACE_S": "5"}
_ENDED = ("CANCELLED", "COMPLETED", "FAILED", "TIMEOUT", "")
# Counts to 40 and goes on from its checkpoint; SIGTERM makes it save and end well, like most
# programs that were written for Slurm.
_COUNTS = """
at=$(cat "$MLQ_CHECKPOINT_DIR/at" 2>/dev/null || echo 0)
echo "$MLQ_ATTEMPT from $at" >> story
trap 'echo $at > "$MLQ_CHECKPOINT_DIR/at"; exit 0' TERM
until [ -e gate ] && [ $at -ge 5 ]; do at=$((at+1)); sleep 0.1; done
"""


class Pilot:
    """A worker inside a batch job; it has two cores and 2000 MiB, unless `granted` says more."""

    def __init__(
        self,
        slurm: SlurmCluster,
        lab: Lab,
        *flags: str,
        granted: tuple[str, ...] = ("--cpus-per-task=2", "--mem=2000"),
    ) -> None:
        self.slurm, self.lab = slurm, lab
        script = f"#!/bin/sh\nexec {MLQ} worker start --foreground {' '.join(flags)}\n"
        self.id = slurm.submit(script, *granted, f"--chdir={lab.folder}", **lab.environ)
        self.name = f"slurm-{self.id}"

    def until_it_works(self) -> dict[str, Any]:
        """Wait until it takes jobs; return what `mlq machines` says of it."""
        wait_for(lambda: "working;" in self.log or self.is_over(), what="the pilot to work")
        assert "working;" in self.log, self.log
        return self.lab.shown(self.name)

    @property
    def log(self) -> str:
        return self.slurm.log(self.id)

    def is_over(self) -> bool:
        return self.slurm.state(self.id) in _ENDED

    def processes(self) -> list[int]:
        """Return its processes: the worker's first, then all below it."""
        (worker,) = (
            pid
            for pid in procfs.look()
            if _variable(pid, "SLURM_JOB_ID") == self.id
            and _variable(pid, "SLURM_CONF") == self.slurm.environment["SLURM_CONF"]
            and b"--foreground" in _read(pid, "cmdline").split(b"\0")
        )
        return [worker, *procfs.below(procfs.look(), [worker])]


def _read(pid: int, name: str) -> bytes:
    try:
        return Path("/proc", str(pid), name).read_bytes()
    except OSError:
        return b""


def _variable(pid: int, name: str) -> str:
    pairs = (one.partition(b"=") for one in _read(pid, "environ").split(b"\0"))
    return next((value.decode() for found, _, value in pairs if found == name.encode()), "")


def _gone(pids: list[int]) -> bool:
    return not set(pids) & procfs.look().keys()


@pytest.fixture
def pilots(slurm: SlurmCluster, lab: Lab) -> Iterator[type[Pilot]]:
    """Let no allocation outlive the lab that it works for."""
    yield Pilot
    slurm.cancel("--signal=KILL", "--full", "--user=root")
    slurm.cancel("--user=root")


def test_it_offers_what_was_granted_and_hands_its_jobs_back(
    pilots: type[Pilot], slurm: SlurmCluster, lab: Lab
) -> None:
    pilot = pilots(slurm, lab, granted=("--cpus-per-task=2", "--mem=2000", "--time=3"))
    shown = pilot.until_it_works()
    assert (shown["cores_total"], shown["mem_total_mib"], shown["gpus"]) == (2, 2000, [])
    assert 1500 < shown["mem_free_mib"] < 2000
    assert 60 < shown["left_s"] <= 90

    job = lab.sh(f"env > seen; {_COUNTS}")
    long = lab.sh("true", time="10m")
    lab.until(job, "started")
    names = [line.partition("=")[0] for line in lab.file("seen").splitlines()]
    assert not [one for one in names if one.startswith(("SLURM", "SRUN", "PMI"))]
    why = json.loads(lab.sandbox.ok("explain", long, "--json"))
    assert "this allocation takes jobs for" in str(why), why

    all_of_it = pilot.processes()
    assert len(all_of_it) >= 5, "worker, supervisor, launcher, keeper, job"
    slurm.cancel(pilot.id)
    lab.until(job, "queued")
    wait_for(pilot.is_over)
    assert _gone(all_of_it)
    assert pilot.log.rstrip().endswith("leaving; its jobs are back in the queue"), pilot.log
    (end,) = lab.ends(job)
    assert end.startswith("handed back: "), end
    assert lab.job(job).losses == 0

    lab.machine("lab01")
    lab.open("gate")
    lab.until(job, "finished")
    lab.until(long, "finished")
    first, second = lab.file("story").splitlines()
    assert first == "1 from 0"
    assert second.startswith("2 from ")
    assert second != "2 from 0"


def test_two_on_one_node_and_one_that_is_killed(
    pilots: type[Pilot], slurm: SlurmCluster, lab: Lab
) -> None:
    one, other = pilots(slurm, lab), pilots(slurm, lab)
    for pilot in (one, other):
        pilot.until_it_works()
    jobs = {name: lab.sh("sleep 1000", machine=name) for name in (one.name, other.name)}
    for job in jobs.values():
        lab.until(job, "started")
    killed, lives = one.processes(), other.processes()
    os.kill(killed[0], signal.SIGKILL)
    wait_for(lambda: _gone(killed), 5, "the end of all that the killed worker held")
    assert not _gone(lives)
    assert set(lives) <= procfs.look().keys()
    # Nobody could say how it ended: it is a loss, like one to a power cut.
    lab.until(jobs[one.name], "failed")
    assert "lost" in lab.job(jobs[one.name]).reason
    lab.queue.cancel([jobs[other.name]])
    slurm.cancel(other.id)
    wait_for(other.is_over)


def test_it_leaves_before_its_time_is_up(
    pilots: type[Pilot], slurm: SlurmCluster, lab: Lab
) -> None:
    # 90 s before the end, so here 5 s after its start.
    pilot = pilots(slurm, lab, "--for", "95s")
    pilot.until_it_works()
    job = lab.sh(_COUNTS)
    lab.until(job, "started")
    lab.until(job, "queued")
    wait_for(pilot.is_over)
    assert slurm.state(pilot.id) == "COMPLETED"
    assert lab.ends(job) == ["handed back: its allocation ends"]
    assert lab.job(job).losses == 0


def test_confined_by_cgroups(lab: Lab) -> None:
    with slurm_cluster(cgroups=True) as slurm:
        pilot = Pilot(slurm, lab, granted=("--cpus-per-task=1", "--mem=700"))
        shown = pilot.until_it_works()
        assert (shown["cores_total"], shown["mem_total_mib"]) == (1, 700)
        assert 300 < shown["mem_free_mib"] < 700
        job = lab.sh(_COUNTS, mem="100M")
        lab.until(job, "started")
        everything = pilot.processes()
        slurm.cancel(pilot.id)
        lab.until(job, "queued")
        wait_for(pilot.is_over)
        assert _gone(everything)
        (end,) = lab.ends(job)
        assert end.startswith("handed back: "), end


def test_suspended_and_resumed_it_is_fenced_and_nothing_runs_twice(lab: Lab) -> None:
    # As HTCondor does it: SIGSTOP to all, and SIGCONT an hour later.
    ad = lab.folder / ".job.ad"
    ad.write_text("ClusterId = 45\nProcId = 2\n")
    command = [str(MLQ), "worker", "start", "--foreground", "--cores", "2"]
    variables = {**lab.environ, "_CONDOR_JOB_AD": str(ad), "MLQ_MAX_LOSSES": "3"}
    with subprocess.Popen(command, env=variables, cwd=lab.folder) as worker:
        try:
            wait_for(lambda: "condor-45.2" in lab.sandbox.ok("machines"), what="the worker")
            job = lab.sh('echo "$MLQ_ATTEMPT $$" >> story; until [ -e gate ]; do sleep 0.1; done')
            lab.until(job, "started")
            lab.file("story")
            everything = [worker.pid, *procfs.below(procfs.look(), [worker.pid])]
            _signal(everything, signal.SIGSTOP)
            lab.machine("lab01", environ={"MLQ_MAX_LOSSES": "3"})
            lab.until(job, "started", attempt=2)
            first = int(lab.file("story").split()[1])
            _signal(everything, signal.SIGCONT)
            wait_for(lambda: first not in procfs.look(), what="the end of the first attempt")
            lab.open("gate")
            lab.until(job, "finished", attempt=2)
            assert [line[0] for line in lab.file("story").splitlines()] == ["1", "2"]
        finally:
            _signal([worker.pid], signal.SIGTERM)
            assert worker.wait(30) == 0
        assert _gone(everything)


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
