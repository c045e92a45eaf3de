"""Nothing that happens to a worker happens to its jobs; nothing of a job outlives its end."""

from __future__ import annotations

import json
import os
import signal
import sys

import pytest
from local_lab import PATIENT, Lab, alive
from waiting import wait_for

from mlq_worker.ipc import procfs

WAIT = "until [ -e {gate} ]; do sleep 0.05; done"


def test_a_killed_worker_costs_its_jobs_nothing(lab: Lab) -> None:
    machine = lab.machine("lab01")
    script = f"echo $$ >pid1; {WAIT.format(gate='first')}; echo no memory; exit 3"
    ends_meanwhile = lab.sh(script)
    runs_on = lab.sh(f"echo $$ >pid2; {WAIT.format(gate='second')}; echo the end")
    pids = [lab.pid("pid1"), lab.pid("pid2")]
    machine.kill("worker")
    assert all(alive(pid) for pid in pids)
    lab.open("first")
    wait_for(lambda: not alive(pids[0]), what="the first job's end")
    assert lab.job(ends_meanwhile).state == "started"
    machine.start()
    ended = lab.until(ends_meanwhile, "failed")
    assert (ended.exit_code, ended.reason, ended.attempt) == (3, "exit 3: no memory", 1)
    assert alive(pids[1])
    lab.open("second")
    ended = lab.until(runs_on, "finished")
    assert (ended.exit_code, ended.attempt, ended.losses) == (0, 1, 0)
    assert lab.log(runs_on) == b"the end\n"


def test_an_adopted_job_still_holds_its_cores(lab: Lab) -> None:
    machine = lab.machine("lab01")
    big = lab.sh(f"echo $$ >pid; {WAIT.format(gate='end')}", cores=2)
    lab.pid("pid")
    machine.kill("worker")
    machine.start()
    second = lab.sh("true")
    machine.until_beats(3)
    assert lab.job(second).state == "queued"
    assert lab.shown("lab01")["cores_free"] == 0
    lab.open("end")
    lab.until(second, "finished")
    assert lab.until(big, "finished").attempt == 1


def test_an_order_outlives_the_worker_that_gave_it(lab: Lab) -> None:
    machine = lab.machine("lab01")
    supervisor = machine.pid("supervisor")
    os.kill(supervisor, signal.SIGSTOP)
    job = lab.sh("echo ran >>ran; exit 3")
    lab.until(job, "started")
    # It shows what is left once the order is given; between claim and order it must not die here.
    lab.until_shown("lab01", lambda row: row["cores_free"] == 1)
    machine.kill("worker")
    os.kill(supervisor, signal.SIGCONT)
    wait_for(lab.layout.result_file(job, 1).exists, what="the job's end")
    machine.start()
    ended = lab.until(job, "failed")
    assert (ended.exit_code, ended.attempt, lab.file("ran")) == (3, 1, "ran\n")


def test_a_time_limit_holds_without_a_worker(lab: Lab) -> None:
    machine = lab.machine("lab01")
    job = lab.sh("echo $$ >pid; exec sleep 1000", time="1s")
    pid = lab.pid("pid")
    machine.kill("worker")
    wait_for(lambda: not alive(pid), what="the job's end")
    machine.start()
    assert lab.until(job, "failed").reason == "timeout after 1s"


def test_a_cancel_reaches_the_job_of_a_worker_that_was_away(lab: Lab) -> None:
    machine = lab.machine("lab01")
    job = lab.sh("echo $$ >pid; exec sleep 1000")
    pid = lab.pid("pid")
    machine.kill("worker")
    assert lab.queue.cancel([job]) == ([], [job])
    assert lab.job(job).reason == "stopping: canceled"
    machine.start()
    assert lab.until(job, "canceled").reason == "canceled"
    assert not alive(pid)


@pytest.mark.parametrize(
    ("role", "why"),
    [
        ("supervisor", "lost: the supervisor on lab01 was restarted"),
        ("launcher", "lost: the launcher died"),
    ],
)
def test_what_holds_the_jobs_takes_them_along_and_they_are_queued_again(
    lab: Lab, role: str, why: str
) -> None:
    lab.environ |= PATIENT  # the machine knows by itself: no silence has to be long enough
    machine = lab.machine("lab01")
    job = lab.sh(
        '[ "$MLQ_ATTEMPT" = 2 ] && exit 4; setsid sleep 1000 & echo $! >child; echo $$ >pid; wait'
    )
    pids = [lab.pid("child"), lab.pid("pid")]
    worker = machine.pid("worker")
    machine.kill(role)
    wait_for(lambda: not any(alive(pid) for pid in pids), what="the death of all it held")
    ended = lab.until(job, "failed", attempt=2)
    assert (ended.exit_code, ended.attempt, ended.losses) == (4, 2, 1)
    assert machine.pid("worker") == worker
    assert lab.ends(job) == [why, "exit 4"]


OBSTINATE = {
    "ignores SIGTERM": "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)",
    "daemonises": """
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
""",
    "hides its mark": """
if os.fork() == 0:
    os.setsid()
    os.execve("/bin/sleep", ["sleep", "1000"], {})
""",
    "forks a tree": """
for _ in range(4):
    os.fork()
""",
}


@pytest.mark.parametrize("kind", OBSTINATE)
def test_nothing_is_left_of_a_canceled_job(lab: Lab, kind: str) -> None:
    machine = lab.machine("lab01")
    code = (
        f"import os, time\n{OBSTINATE[kind]}\n"
        "open('pids', 'a').write(f'{os.getpid()}\\n')\ntime.sleep(1000)"
    )
    job = lab.sandbox.submit(sys.executable, "-c", code)
    expected = {"forks a tree": 16, "daemonises": 2}.get(kind, 1)
    wait_for(lambda: lab.file("pids").count("\n") == expected, what="all of its processes")
    wait_for(lambda: len(lab.processes(job)) >= expected, what=f"{expected} of its processes")
    before = descendants(machine.pid("launcher"))
    lab.queue.cancel([job])
    lab.until(job, "canceled")
    assert lab.processes(job) == []
    assert not [pid for pid in before if alive(pid)]


def descendants(root: int) -> list[int]:
    """Return all processes below one."""
    table, found = procfs.look(), [root]
    for pid in found:
        found += [one.pid for one in table.values() if one.parent == pid]
    return found[1:]


def test_a_time_limit_ends_a_job_and_says_so(lab: Lab) -> None:
    lab.machine("lab01")
    job = lab.sh("echo $$ >pid; exec sleep 1000", time="1s", retries=3)
    pid = lab.pid("pid")
    ended = lab.until(job, "failed")
    assert (ended.reason, ended.attempt) == ("timeout after 1s", 1)
    assert not alive(pid)
    result = json.loads(lab.layout.result_file(job, 1).read_bytes())
    assert result["outcome"] == "timeout"


def test_a_job_is_retried_as_often_as_its_user_said(lab: Lab) -> None:
    lab.machine("lab01")
    recovers = lab.sh('echo "try $MLQ_ATTEMPT"; [ "$MLQ_ATTEMPT" = 3 ]', retries=5)
    gives_up = lab.sh("exit 7", retries=2)
    ended = lab.until(recovers, "finished")
    assert (ended.attempt, ended.failures, ended.exit_code) == (3, 2, 0)
    assert [lab.log(recovers, n) for n in (1, 2, 3)] == [b"try 1\n", b"try 2\n", b"try 3\n"]
    ended = lab.until(gives_up, "failed")
    assert (ended.attempt, ended.failures, ended.reason) == (3, 3, "exit 7")


def test_memory_that_kills_a_job_is_named(lab: Lab) -> None:
    lab.machine("lab01")
    ended = lab.until(lab.sh("kill -9 $$"), "failed")
    assert (ended.reason, ended.exit_code) == ("killed by SIGKILL, perhaps out of memory", None)
