"""submitit's real executor interface on mlq: one submission, one question, and no lost work."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from local_lab import Lab, new_lab
from users_python import REPOSITORY, run_suite, users_python
from waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.one_server]

# Counts to its end in small steps; a checkpoint keeps how far it is.
FUNCTIONS = """
import os, sys, time
from pathlib import Path
import submitit

here = Path(__file__).parent

def add(a, b):
    print("adding", a, b)
    return a + b

def boom():
    print("about to fail")
    raise ValueError("no such luck")

def ranks():
    env = submitit.JobEnvironment()
    return env.global_rank, env.num_tasks, env.num_nodes, env.cluster

class Counts:
    def __init__(self):
        self.steps = []

    def __call__(self):
        while not (here / "enough").exists():
            self.steps.append(os.environ["MLQ_ATTEMPT"])
            (here / "steps").write_text(str(len(self.steps)))
            time.sleep(0.05)
        return self.steps

    def checkpoint(self):
        with (here / "signals").open("a") as file:
            file.write("saved\\n")
        return submitit.helpers.DelayedSubmission(self)
"""
BEGIN = """
import json, pickle, sys, asyncio, time
import submitit
from functions import *
executor = submitit.AutoExecutor("logs", cluster="mlq")
executor.update_parameters(mem_gb=0.1, name="sub")
def say(value):
    print(json.dumps(value))
"""


@pytest.fixture(scope="module")
def python() -> Path:
    """A user's Python that has submitit and no mlq."""
    return users_python("submitit==1.5.4", "typing_extensions", "pytest>=8.3")


@pytest.fixture
def lab(python: Path) -> Iterator[Lab]:
    """A lab whose user has the plugin."""
    with new_lab(MLQ_STOP_GRACE_S="20") as lab:
        # Not installed for good: each run of the tests takes the plugin as it is now.
        entries = lab.folder / "site" / "mlq_plugins-0.dist-info"
        entries.mkdir(parents=True)
        (entries / "METADATA").write_text("Name: mlq-plugins\nVersion: 0\n")
        (entries / "entry_points.txt").write_text(
            "[submitit]\nexecutor = mlq_submitit.executor:MlqExecutor\n"
            "job_environment = mlq_submitit.environment:MlqJobEnvironment\n"
        )
        paths = [REPOSITORY / "plugins", lab.folder / "site", lab.folder]
        programs = [python.parent, Path(sys.executable).parent]
        lab.environ |= {
            "PYTHONPATH": ":".join(map(str, paths)),
            "PATH": ":".join([*map(str, programs), os.environ["PATH"]]),
        }
        (lab.folder / "functions.py").write_text(FUNCTIONS)
        yield lab


@pytest.fixture
def run(lab: Lab, python: Path) -> Callable[[str], list[Any]]:
    """Runs a script of the user's; returns what it said."""

    def run(script: str) -> list[Any]:
        done = subprocess.run(
            [python, "-c", BEGIN + script],
            env=lab.environ,
            cwd=lab.folder,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


def test_functions_return_their_values_and_a_map_is_one_array(
    lab: Lab, run: Callable[[str], list[Any]]
) -> None:
    lab.machine("lab01")
    alone, mapped, again, awaited, text, error = run(
        """
job = executor.submit(add, 1, 2)
say([job.job_id, job.result()])
jobs = executor.map_array(add, range(3), range(3))
say([[one.job_id, one.result()] for one in jobs])
with executor.batch():
    jobs = [executor.submit(add, n, 10) for n in range(2)]
say([[one.job_id, one.result()] for one in jobs])
say(asyncio.run(executor.submit(add, 3, 4).awaitable().result()))
say(pickle.loads(pickle.dumps(job)).stdout())
say(str(executor.submit(boom).exception()))
"""
    )
    assert alone == ["1", 3]
    assert mapped == [["2_0", 0], ["2_1", 2], ["2_2", 4]]
    assert again == [["3_0", 10], ["3_1", 11]]  # the same folder and name, and not the same array
    assert awaited == 7
    assert "adding 1 2\n" in text
    assert "ValueError: no such luck" in error
    assert b"adding 1 2\n" in lab.log("1")


def test_tasks_are_ranks_of_one_job(lab: Lab, run: Callable[[str], list[Any]]) -> None:
    lab.machine("lab01")
    (found,) = run(
        "executor.update_parameters(tasks_per_node=2)\nsay(executor.submit(ranks).results())"
    )
    assert found == [[0, 2, 1, "mlq"], [1, 2, 1, "mlq"]]
    assert lab.job("1").cores == 2


@pytest.mark.parametrize("how", ["interrupted", "worker stopped", "time limit"])
def test_a_function_that_can_be_checkpointed_goes_on_from_there(
    lab: Lab, run: Callable[[str], list[Any]], how: str
) -> None:
    machine = lab.machine("lab01")
    options = "timeout_min=1, mlq_signal_delay_s=57" if how == "time limit" else "timeout_min=90"
    run(f"executor.update_parameters({options})\nexecutor.submit(Counts())")
    lab.file("steps")
    if how == "interrupted":
        run("submitit.core.plugins.get_executors()['mlq'].job_class('logs', '1')._interrupt()")
    elif how == "worker stopped":
        machine.stop("--now")
        lab.machine("lab02")
    lab.until("1", "started", attempt=2)
    before = len((lab.folder / "signals").read_text().split())
    now = int(lab.file("steps"))
    wait_for(lambda: int(lab.file("steps")) > now + 1, what="steps of the second attempt")
    lab.open("enough")
    lab.until("1", "finished", attempt=2)
    (steps,) = run(
        "say(submitit.core.plugins.get_executors()['mlq'].job_class('logs', '1').result())"
    )
    assert before == 1  # each signal once
    assert steps == sorted(steps)
    assert steps[0] == "1"
    assert steps[-1] >= "2"
    assert lab.job("1").losses == 0


def test_a_job_is_canceled_and_says_so(lab: Lab, run: Callable[[str], list[Any]]) -> None:
    lab.machine("lab01")
    (state,) = run(
        """
executor.update_parameters(timeout_min=90)
job = executor.submit(Counts())
while job.state != "RUNNING":
    time.sleep(0.1)
    job.watcher.update()
job.cancel()
while not job.done(force_check=True):
    time.sleep(0.1)
say(job.state)
"""
    )
    assert state == "CANCELLED"


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("executor.update_parameters(nodes=2)", "runs on one machine"),
        ("executor.update_parameters(mlq_partition='x')", "Unknown argument 'partition'"),
        ("executor.update_parameters(mlq_machine='[')\nexecutor.submit(add, 1, 2)", ""),
        ("executor.update_parameters(mlq_vram='6G')\nexecutor.submit(add, 1, 2)", "--vram needs"),
    ],
)
def test_what_cannot_be_used_is_said(
    lab: Lab, run: Callable[[str], list[Any]], script: str, says: str
) -> None:
    try:
        run(script)
    except AssertionError as error:
        assert says in str(error)
    else:
        assert not says


# submitit's own tests of its local executor, without those of that executor's process.
_OF_LOCAL = "not local_job and not killed and not make_subprocess and not cancel and not setup"
_INSTEAD = """
import submitit.local.local as local
from mlq_submitit import executor

local.LocalExecutor, local.LocalJob = executor.MlqExecutor, executor.MlqJob
command = executor.MlqExecutor._command

def on_one_core(self, count):
    words = command(self, count)
    words[words.index("--cores") + 1] = "1"
    return words

executor.MlqExecutor._command = on_one_core  # three tasks, and perhaps two cores
"""


def test_submitits_own_tests_pass_on_it(lab: Lab, python: Path) -> None:
    lab.machine("lab01")
    (lab.folder / "instead.py").write_text(_INSTEAD)
    words = ["-p", "instead", "--pyargs", "submitit.local.test_local", "-k", _OF_LOCAL]
    said = run_suite(python, words, lab.environ, lab.folder)
    assert "16 passed" in said
