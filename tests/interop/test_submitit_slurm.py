"""submitit's own Slurm executor, and Hydra's launcher over it, unchanged, on mlq."""

from __future__ import annotations

from pathlib import Path

import pytest
from slurm_user import SlurmUser
from users_python import users_python

pytestmark = [pytest.mark.slow, pytest.mark.one_server]

FUNCTIONS = """
import os, time
from pathlib import Path
import submitit

here = Path(__file__).parent

def add(a, b):
    return a + b

def rank():
    env = submitit.JobEnvironment()
    return env.cluster, env.global_rank, env.num_tasks, env.num_nodes

class Counts:
    def __init__(self):
        self.steps = 0

    def __call__(self):
        while not (here / "enough").exists():
            self.steps += 1
            (here / "steps").write_text(str(self.steps))
            time.sleep(0.05)
        return self.steps

    def checkpoint(self):
        with (here / "signals").open("a") as file:
            file.write("saved\\n")
        return submitit.helpers.DelayedSubmission(self)
"""
BEGIN = """
import time
import submitit
from functions import *
executor = submitit.AutoExecutor("logs")
assert executor.cluster == "slurm"
executor.update_parameters(mem_gb=0.2, timeout_min=5, slurm_array_parallelism=2,
                           slurm_partition="gpu", name="sub")
submitit.slurm.slurm.SlurmJob.watcher.delay_s = 1
"""


@pytest.fixture(scope="module")
def python() -> Path:
    """A user's Python that has submitit and no mlq."""
    return users_python("submitit==1.5.4", "typing_extensions")


def test_maps_and_tasks(user: SlurmUser, python: Path) -> None:
    (user.folder / "functions.py").write_text(FUNCTIONS)
    script = """
jobs = executor.map_array(add, [1, 2, 3], [10, 20, 30])
executor.update_parameters(tasks_per_node=2)
ranks = executor.submit(rank)
print([job.result() for job in jobs], [job.state for job in jobs], jobs[2].job_id)
print(ranks.results())
"""
    said = user.run(python, "-c", BEGIN + script).splitlines()
    assert said == [
        "[11, 22, 33] ['COMPLETED', 'COMPLETED', 'COMPLETED'] 1_2",
        "[('slurm', 0, 2, 1), ('slurm', 1, 2, 1)]",
    ]


def test_a_preempted_job_goes_on_from_its_checkpoint(user: SlurmUser, python: Path) -> None:
    (user.folder / "functions.py").write_text(FUNCTIONS)
    script = """
job = executor.submit(Counts())
def at_least(number):
    while not (here / "steps").exists() or int((here / "steps").read_text() or 0) < number:
        time.sleep(0.05)
at_least(5)
job._interrupt()
while not (here / "signals").exists():
    time.sleep(0.05)
before = int((here / "steps").read_text())
at_least(before + 5)
(here / "enough").touch()
assert job.result() >= before + 5
print((here / "signals").read_text().count("saved"), job.state)
"""
    assert user.run(python, "-c", BEGIN + script) == "1 COMPLETED\n"
    assert user.lab.job("1").attempt == 2
