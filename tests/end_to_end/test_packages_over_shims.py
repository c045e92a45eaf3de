"""Real packages that speak to Slurm run unchanged over mlq's shims, in a Python without mlq."""

from __future__ import annotations

import json
import subprocess

import pytest
from local_lab import PATIENT, new_lab
from users_python import users_python

SUBMITIT = """
import json, os, submitit, time

def square(x):
    env = submitit.JobEnvironment()
    return x * x, env.global_rank, env.num_tasks

class Work:
    def __init__(self):
        self.checkpoints = 0

    def checkpoint(self, x):
        self.checkpoints += 1
        return submitit.helpers.DelayedSubmission(self, x)

    def __call__(self, x):
        if not self.checkpoints:
            open("running", "w").close()
            time.sleep(100)
        return x, self.checkpoints

ex = submitit.AutoExecutor(folder="logs/%j")
ex.update_parameters(timeout_min=5, cpus_per_task=1, mem_gb=0.1, slurm_array_parallelism=2)
print(json.dumps([one.result() for one in ex.map_array(square, range(3))]))
ex.update_parameters(tasks_per_node=2)
print(json.dumps(ex.submit(square, 5).results()))
ex.update_parameters(tasks_per_node=1)
job = ex.submit(Work(), 3)
while not os.path.exists("running"):
    time.sleep(0.05)
job._interrupt()
print(json.dumps(job.result()))
"""


DASK = """
import json
from dask.distributed import Client
from dask_jobqueue import SLURMCluster

if __name__ == "__main__":
    with SLURMCluster(cores=1, memory="300MB", queue="x", account="me", walltime="10") as cluster:
        cluster.scale(jobs=1)
        with Client(cluster) as client:
            print(json.dumps(client.gather(client.map(lambda x: x * x, range(4)))))
"""


@pytest.mark.slow
def test_workers_of_dask_start_compute_and_are_canceled() -> None:
    python = users_python("dask-jobqueue==0.9.0")
    with new_lab(**PATIENT) as lab:
        lab.machine("lab01")
        shims = lab.sandbox.ok("shims", "slurm").strip()
        lab.folder.joinpath("run.py").write_text(DASK)
        done = subprocess.run(
            [python, "run.py"],
            env={**lab.environ, "PATH": f"{shims}:{python.parent}:/usr/bin:/bin"},
            cwd=lab.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        assert json.loads(done.stdout) == [0, 1, 4, 9], done.stderr
        (job,) = json.loads(lab.sandbox.ok("ls", "--all", "--json"))
        assert job["state"] in {"canceled", "started"}  # it may be on its way out


@pytest.mark.slow
def test_submitit_with_arrays_several_tasks_and_a_checkpoint_on_preemption() -> None:
    python = users_python("submitit==1.5.4", "typing_extensions")
    with new_lab(**{**PATIENT, "MLQ_STOP_GRACE_S": "20"}) as lab:
        lab.machine("lab01")
        shims = lab.sandbox.ok("shims", "slurm").strip()
        lab.folder.joinpath("run.py").write_text(SUBMITIT)
        done = subprocess.run(
            [python, "run.py"],
            env={**lab.environ, "PATH": f"{shims}:/usr/bin:/bin"},
            cwd=lab.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        assert done.returncode == 0, done.stderr
        assert [json.loads(line) for line in done.stdout.splitlines()] == [
            [[0, 0, 1], [1, 0, 1], [4, 0, 1]],
            [[25, 0, 2], [25, 1, 2]],
            [3, 1],
        ]
