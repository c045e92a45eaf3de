"""jug programs with the real jug: no lock of a dead worker stops a run, and none ends early."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import pytest
from local_lab import Lab

pytest.importorskip("jug", reason="jug is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.one_server]

# Each task notes its start, then waits for its gate: a file of its number, or `all`.
PROGRAM = """
import os, time
from pathlib import Path
from jug import TaskGenerator, barrier, value

here = Path({folder!r})

@TaskGenerator
def step(n):
    with (here / f"began.{{n}}").open("a") as file:
        file.write(os.environ["MLQ_JOB_ID"] + chr(10))
    while not (here / f"gate.{{n}}").exists() and not (here / "gate.all").exists():
        time.sleep(0.02)
    if (here / f"fails.{{n}}").exists():
        raise ValueError(f"task {{n}} cannot")
    return n

@TaskGenerator
def total(numbers):
    return sum(numbers)

first = [step(n) for n in range({tasks})]
barrier()
result = total(first)
"""


class Program:
    """A jug program in the lab's folder."""

    def __init__(self, lab: Lab, tasks: int) -> None:
        self.lab = lab
        (lab.folder / "steps.py").write_text(PROGRAM.format(folder=str(lab.folder), tasks=tasks))
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        lab.environ |= {"PATH": path, "VIRTUAL_ENV": str(Path(sys.executable).parents[1])}

    def enqueue(self, workers: int, *words: str) -> list[str]:
        """Run `mlq jug`; return the ids."""
        said = self.lab.sandbox.ok(
            "jug", "steps.py", "--workers", str(workers), "--mem", "100M", *words
        )
        return said.split()

    def runner(self, task: int) -> str:
        """Return the job that began a task last, once one did."""
        return self.lab.file(f"began.{task}").split()[-1]

    def text(self, job_id: str, attempt: int = 1) -> str:
        """Return the log of an attempt."""
        return self.lab.log(job_id, attempt).decode()


def test_a_run_is_finished_when_jug_says_that_it_is_complete(lab: Lab) -> None:
    program = Program(lab, tasks=2)
    lab.machine("lab01")
    ids = program.enqueue(2)
    shown = [(lab.job(one).name, lab.job(one).command) for one in ids]
    assert shown == [("steps", "jug steps.py")] * 2
    with lab.sandbox.started("wait", "steps") as waits:
        lab.until(ids[0], "started")
        assert waits.poll() is None
        lab.open("gate.all")
        assert waits.wait(60) == 0
    assert [lab.job(one).state for one in ids] == ["finished"] * 2
    assert {lab.file(f"began.{n}").count("\n") for n in range(2)} == {1}

    again = lab.sandbox.run("jug", "steps.py", "--workers", "2")
    assert (again.code, again.out) == (0, "")
    assert "steps.py is complete: all 3 tasks are done; nothing was queued" in again.err
    assert not list((lab.folder / "root" / "jug").rglob("*.json"))


def test_after_a_power_cut_the_tasks_of_the_dead_worker_are_done_by_the_others(lab: Lab) -> None:
    program = Program(lab, tasks=2)
    machines = {name: lab.machine(name, "--cores", "1") for name in ("lab01", "lab02")}
    ids = program.enqueue(2)
    lost = program.runner(0)
    where = lab.until(lost, "started").machine
    assert where is not None
    (other,) = {*ids} - {lost}
    lab.until(other, "started")
    assert program.runner(1) == other
    machines[where].cut_power()
    lab.open("gate.all")
    lab.until(other, "finished", timeout_s=110)
    lab.until(lost, "finished", timeout_s=110)
    logs = "".join(program.text(one, n + 1) for one in ids for n in range(lab.job(one).attempt))
    assert logs.count("removed the lock of task") == 1
    assert lab.file("began.0").count("\n") == 2


def test_a_program_gets_its_own_arguments_wherever_it_lies(lab: Lab) -> None:
    Program(lab, tasks=1)
    folder = lab.folder / "it's here"
    folder.mkdir()
    (folder / "a b.py").write_text(
        "import sys\nfrom jug import Task\n[Task(int, one) for one in sys.argv[1:]]\n"
    )
    lab.machine("lab01")
    words = ("it's here/a b.py", "--workers", "1", "--", "--aggressive-unload", "--", "7", "8")
    job = lab.sandbox.ok("jug", *words).strip()
    assert lab.until(job, "finished").name == "a b"
    assert "all 2 tasks are done" in lab.sandbox.run("jug", *words).err


def test_a_failing_task_fails_the_run_and_the_others_are_done(lab: Lab) -> None:
    program = Program(lab, tasks=3)
    lab.machine("lab01")
    lab.open("fails.1")
    lab.open("gate.all")
    (job,) = program.enqueue(1)
    ended = lab.until(job, "failed")
    assert ended.reason == "exit 1: mlq: 1 of 3 tasks failed"
    assert (ended.step, ended.total) in {(2, 3), (None, None)}  # told now and then only
    (lab.folder / "fails.1").unlink()
    # A new run tries the failed one again, and only that.
    (job,) = program.enqueue(1)
    lab.until(job, "finished")
    assert [lab.file(f"began.{n}").count("\n") for n in range(3)] == [1, 2, 1]


def test_a_killed_jug_fails_its_worker_and_leaves_no_lock(lab: Lab) -> None:
    program = Program(lab, tasks=1)
    lab.machine("lab01")
    (job,) = program.enqueue(1)
    program.runner(0)
    (lock,) = (lab.folder / "steps.jugdata" / "locks").iterdir()
    os.kill(int(lock.read_text().split()[1]), signal.SIGKILL)
    assert lab.until(job, "failed").exit_code == 128 + signal.SIGKILL
    assert not lock.exists()


def test_a_worker_that_finds_nothing_to_do_gives_its_cores_back_and_returns(lab: Lab) -> None:
    program = Program(lab, tasks=1)
    lab.machine("lab01")
    busy, idle = program.enqueue(2)
    if program.runner(0) != busy:
        busy, idle = idle, busy
    waits = lab.until(idle, "scheduled")
    assert waits.reason == "others are at the rest of its tasks"
    assert waits.due_at is not None
    lab.open("gate.all")
    lab.until(busy, "finished")
    ended = lab.until(idle, "finished", attempt=2)
    assert (ended.losses, ended.failures) == (0, 0)


def test_locks_of_strangers_stay_and_fail_the_run(lab: Lab) -> None:
    program = Program(lab, tasks=1)
    lab.machine("lab01")
    (job,) = program.enqueue(1)
    program.runner(0)
    (stranger,) = (lab.folder / "steps.jugdata" / "locks").iterdir()
    lab.sandbox.ok("cancel", job)
    lab.until(job, "canceled")
    assert not stranger.exists()  # jug itself had let it go
    stranger.write_text("PID 4711 on HOSTNAME pc7\n")
    (job,) = program.enqueue(1)
    ended = lab.until(job, "failed")
    assert ended.reason == ("exit 1: mlq: 1 task locked by process 4711 on pc7, not of this queue")
    assert stranger.exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("steps.py", "--workers", "0"), "--workers 0 cannot be used"),
        (("none.py", "--workers", "1"), "there is no jug program none.py"),
        (("steps.py", "--workers", "1", "--jugdir", "redis://h"), "neither the socket nor"),
        (("steps.py", "--workers", "1", "--jugdir", "dict_store"), "memory of one process"),
        (("broken.py", "--workers", "1"), "broken.py cannot be loaded: ZeroDivisionError"),
        (("steps.py", "--workers", "1", "--", "--nonsense"), "jug cannot be asked"),
    ],
)
def test_what_cannot_run_is_said_before_anything_is_queued(
    lab: Lab, words: tuple[str, ...], says: str
) -> None:
    Program(lab, tasks=1)
    (lab.folder / "broken.py").write_text("1 / 0\n")
    done = lab.sandbox.run("jug", *words)
    assert done.code != 0
    assert says in done.err
    assert "Traceback" not in done.err.partition("mlq: ")[2]
    assert json.loads(lab.sandbox.ok("ls", "--json")) == []


def test_without_jug_it_says_so(lab: Lab) -> None:
    Program(lab, tasks=1)
    lab.environ |= {"PATH": "/usr/bin:/bin"}
    done = lab.sandbox.run("jug", "steps.py", "--workers", "1")
    assert done.code != 0
    assert "jug is missing" in done.err
