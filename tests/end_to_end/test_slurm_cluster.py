"""The Slurm that other tests use: jobs run in it, confined or not, and nothing is left of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from slurm_cluster import SlurmCluster, slurm_cluster
from waiting import wait_for

_SCRIPT = "#!/bin/sh\necho $SLURM_JOB_ID $SLURM_CPUS_PER_TASK ${CUDA_VISIBLE_DEVICES-none}\n"


@pytest.mark.slow
def test_a_job_runs_with_what_it_asked_for(slurm: SlurmCluster) -> None:
    job = slurm.submit(_SCRIPT, "--cpus-per-task=2", "--gpus=1")
    slurm.wait_for_state(job, "COMPLETED")
    assert slurm.log(job) in (f"{job} 2 0\n", f"{job} 2 1\n")


@pytest.mark.slow
def test_nothing_is_left_of_a_cluster_whose_job_ignores_signals() -> None:
    with slurm_cluster(cgroups=True) as slurm:
        script = "#!/bin/sh\ntrap '' TERM\necho $$; cat /proc/self/cgroup; sleep 600; sleep 600\n"
        job = slurm.submit(script, "--mem=300")
        wait_for(lambda: f"/job_{job}/" in slurm.log(job), what="a cgroup of the job")
        pid = slurm.log(job).split()[0]
    assert not Path("/proc", pid).exists()
    assert not slurm.folder.exists()
    assert str(slurm.folder).encode() not in _environments()


def _environments() -> bytes:
    """Return the environments of all processes but this one."""
    texts = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                texts.append((folder / "environ").read_bytes())
            except OSError:
                continue
    return b"".join(texts)
