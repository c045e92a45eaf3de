"""Machines die, boot, freeze and lose their links: no job is lost, and none runs twice at once."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Iterator

import pytest
from cut_link import Link
from local_lab import BEAT_S, DEAD_S, PATIENT, Lab, Machine, alive, children_of
from ticking import ticking, ticks
from waiting import wait_for

from mlq.files.layout import write_atomically
from mlq.jobs.spec import FunctionCall
from mlq.server.status import status
from mlq.submit.submission import Submission
from mlq_worker.ipc.procfs import look_at

WAIT = "until [ -e {gate} ]; do sleep 0.05; done"
CHECKPOINTING = """
cd "$MLQ_CHECKPOINT_DIR"
echo "$MLQ_ATTEMPT: found $(cat epoch 2>/dev/null || echo nothing)"
[ "$MLQ_ATTEMPT" = 2 ] && exit 5
echo "epoch 3" >epoch
exec sleep 1000
"""


def elsewhere(name: str) -> str:
    return {"lab01": "lab02", "lab02": "lab01"}[name]


def test_after_a_power_cut_the_job_goes_on_elsewhere_from_its_checkpoint(lab: Lab) -> None:
    machines = {name: lab.machine(name) for name in ("lab01", "lab02")}
    job = lab.sh(CHECKPOINTING)
    where = lab.until(job, "started").machine
    assert where is not None
    checkpoint = lab.layout.checkpoint_dir(job) / "epoch"
    wait_for(checkpoint.exists, what="the checkpoint")
    machines[where].cut_power()
    cut_s = time.monotonic()
    ended = lab.until(job, "failed", attempt=2)
    # Not before the silence has lasted: the beat was at most one beat old at the power cut.
    assert time.monotonic() - cut_s >= DEAD_S - BEAT_S
    assert (ended.attempt, ended.machine, ended.losses) == (2, elsewhere(where), 1)
    assert lab.ends(job) == [f"lost: machine {where} went silent", "exit 5: 2: found epoch 3"]
    assert lab.log(job, 2) == b"2: found epoch 3\n"


def test_a_machine_that_boots_anew_gives_back_its_jobs_at_once(lab: Lab) -> None:
    lab.environ |= PATIENT
    machine = lab.machine("lab01", boot_id="first-boot")
    job = lab.sh('[ "$MLQ_ATTEMPT" = 2 ] && exit 0; exec sleep 1000')
    lab.until(job, "started")
    assert lab.shown("lab01")["boot_id"] == "first-boot"
    machine.cut_power()
    assert lab.job(job).state == "started"
    machine.start(boot_id="second-boot")
    ended = lab.until(job, "finished", attempt=2)
    assert lab.ends(job) == ["lost: machine lab01 rebooted", ""]
    assert (ended.attempt, ended.losses) == (2, 1)
    assert lab.shown("lab01")["boot_id"] == "second-boot"


# Longer than any silence that counts: by then the lease has run out, and whoever could be declared
# dead has been.
LONG_BEATS = round(1.5 * DEAD_S / BEAT_S)


def test_a_frozen_machine_finds_that_its_job_is_no_longer_its_own(lab: Lab) -> None:
    frozen = lab.machine("lab01")
    job = lab.sh(
        f"echo $$ >pid$MLQ_ATTEMPT; {WAIT.format(gate='end$MLQ_ATTEMPT')}; exit $MLQ_ATTEMPT"
    )
    pid = lab.pid("pid1")
    lab.machine("lab02")
    frozen.signal(signal.SIGSTOP)
    assert lab.until(job, "started", attempt=2).machine == "lab02"
    lab.open("end1")  # it would end at once, and well
    frozen.signal(signal.SIGCONT)
    wait_for(lambda: not alive(pid), what="the end of the attempt that was lost")
    frozen.until_beats(3)
    job_now = lab.job(job)
    assert (job_now.state, job_now.attempt, job_now.machine) == ("started", 2, "lab02")
    lab.open("end2")
    ended = lab.until(job, "failed")
    assert (ended.exit_code, ended.attempt, ended.machine) == (2, 2, "lab02")


def test_the_late_result_of_a_lost_attempt_changes_nothing(lab: Lab) -> None:
    first = lab.machine("lab01")
    job = lab.sh(f"{WAIT.format(gate='end$MLQ_ATTEMPT')}; exit 6")
    lab.until(job, "started")
    lab.machine("lab02")
    first.cut_power()
    lab.until(job, "started", attempt=2)
    late = {
        "id": job,
        "attempt": 1,
        "machine": "lab01",
        "boot_id": "any",
        "outcome": "exited",
        "exit_code": 0,
        "signal": None,
        "reason": "exit 0",
        "started_at": None,
        "ended_at": "2026-11-23T22:15:01.123456Z",
        "cpu_s": 0.0,
        "max_rss_mib": 0,
    }
    write_atomically(lab.layout.result_file(job, 1), json.dumps(late).encode())
    first.start()
    first.until_beats(5)
    assert lab.job(job).state == "started"
    lab.open("end2")
    ended = lab.until(job, "failed")
    assert (ended.exit_code, ended.attempt, ended.machine) == (6, 2, "lab02")


def test_a_job_under_which_machine_after_machine_dies_fails(lab: Lab) -> None:
    lab.environ |= {**PATIENT, "MLQ_MAX_LOSSES": "2"}
    lab.machine("lab01")
    killer = lab.sh(f"kill -9 $(cat {lab.folder}/run/mlq/m/lab01/supervisor.pid); sleep 1000")
    ended = lab.until(killer, "failed", attempt=3)
    assert ended.reason == (
        "kills its machine: lost 3 times, the last time the supervisor on lab01 was restarted"
    )
    assert (ended.attempt, ended.failures) == (3, 0)
    assert lab.until(lab.sh("true"), "finished").attempt == 1


def test_whoever_sees_a_result_first_commits_it(lab: Lab) -> None:
    first = lab.machine("lab01")
    job = lab.sh(f"echo $$ >pid; {WAIT.format(gate='end')}; exit 9")
    pid = lab.pid("pid")
    first.stop()
    assert alive(pid)
    lab.open("end")
    wait_for(lab.layout.result_file(job, 1).exists, what="its result on NFS")
    assert lab.job(job).state == "started"
    lab.machine("lab02")
    ended = lab.until(job, "failed")
    assert (ended.exit_code, ended.attempt, ended.losses) == (9, 1, 0)
    assert ended.machine == "lab01"


def test_whoever_commits_a_result_commits_what_a_function_returned(lab: Lab) -> None:
    code = """
import os, time
def value():
    open("runs", "w").close()
    while not os.path.exists("end"):
        time.sleep(0.05)
    return [1, "two"]
"""
    (lab.folder / "lab_value.py").write_text(code)
    first = lab.machine("lab01")
    call = FunctionCall(name="lab_value.value")
    (job,) = lab.queue.submit([Submission(function=call, cwd=str(lab.folder), python_env="")])
    wait_for((lab.folder / "runs").exists, what="the function to run")
    first.stop()
    lab.open("end")
    wait_for(lab.layout.result_file(job.id, 1).exists, what="its result on NFS")
    lab.machine("lab02")
    lab.until(job.id, "finished")
    assert job.result().value == [1, "two"]


def test_a_job_that_is_canceled_while_its_machine_is_off_does_not_come_back(lab: Lab) -> None:
    first = lab.machine("lab01")
    job = lab.sh("echo $$ >pid; exec sleep 1000")
    lab.pid("pid")
    lab.machine("lab02")
    first.cut_power()
    assert lab.queue.cancel([job]) == ([], [job])
    ended = lab.until(job, "canceled")
    assert (ended.attempt, ended.reason) == (1, "canceled")


def test_a_stopped_worker_keeps_its_jobs_for_as_long_as_the_machine_beats(lab: Lab) -> None:
    first = lab.machine("lab01")
    job = lab.sh(f"echo $$ >pid; {WAIT.format(gate='end')}")
    pid = lab.pid("pid")
    lab.machine("lab02")
    first.stop()
    first.until_beats(LONG_BEATS)
    assert (lab.job(job).state, lab.job(job).attempt) == ("started", 1)
    assert alive(pid)
    lab.open("end")
    assert lab.until(job, "finished").attempt == 1


@pytest.fixture
def link(lab: Lab) -> Iterator[Link]:
    """A way to the queue that can be cut."""
    link = Link(lab.folder / "link.sock", lab.queue.settings.redis_socket)
    yield link
    link.close()


def test_a_cut_tunnel_neither_kills_nor_duplicates(lab: Lab, link: Link) -> None:
    cut_off = lab.machine("lab01", redis_socket=link.path)
    ends = lab.sh(f"echo $$ >pid1; {WAIT.format(gate='end')}; exit 8")
    stays = lab.sh(f"echo $$ >pid2; {WAIT.format(gate='never')}")
    pids = [lab.pid("pid1"), lab.pid("pid2")]
    lab.machine("lab02")
    link.cut()
    cut_off.until_beats(LONG_BEATS)
    assert [state_of(pid) in "RSD" for pid in pids] == [True, True]
    assert [lab.job(job).attempt for job in (ends, stays)] == [1, 1]
    wait_for(
        lambda: re.fullmatch(
            r"worker silent for \d+s; alive by NFS", lab.queue.conditions().get("lab01", "")
        ),
        what="the condition of lab01 to be told",
    )
    lab.open("end")
    # Over NFS, by the other machine.
    ended = lab.until(ends, "failed")
    assert (ended.exit_code, ended.attempt, ended.machine) == (8, 1, "lab01")
    link.mend()
    lab.open("never")
    ended = lab.until(stays, "finished")
    assert (ended.attempt, ended.machine, ended.losses) == (1, "lab01", 0)
    assert lab.until(lab.sh("true", machine="lab01"), "finished").machine == "lab01"


def test_a_queue_that_hangs_neither_kills_nor_duplicates(lab: Lab) -> None:
    machines = [lab.machine("lab01"), lab.machine("lab02")]
    jobs = [lab.sh(f"echo $$ >pid{n}; {WAIT.format(gate=f'end{n}')}; exit {n}") for n in (1, 2, 3)]
    pids = [lab.pid(f"pid{n}") for n in (1, 2, 3)]
    server = status(lab.queue.settings).pid
    assert server is not None
    os.kill(server, signal.SIGSTOP)
    for machine in machines:
        machine.until_beats(LONG_BEATS)
    lab.open("end1")
    wait_for(lab.layout.result_file(jobs[0], 1).exists, what="its result on NFS")
    assert all(alive(pid) for pid in pids[1:])
    os.kill(server, signal.SIGCONT)
    lab.open("end2")
    lab.open("end3")
    for number, job in enumerate(jobs, 1):
        ended = lab.until(job, "failed")
        assert (ended.exit_code, ended.attempt, ended.losses) == (number, 1, 0)


def test_with_both_channels_down_no_two_attempts_ever_run_at_once(lab: Lab, link: Link) -> None:
    """The crown of it: the machine is well, and nobody can know."""
    isolated = lab.machine("lab01", redis_socket=link.path, own_mounts=True)
    job = ticking(lab)
    lab.until(job, "started")
    wait_for(lambda: ticks(lab, 1), what="the job to run")
    lab.machine("lab02")
    link.cut()
    isolated.lose_storage()
    assert lab.until(job, "started", attempt=2).machine == "lab02"
    wait_for(lambda: ticks(lab, 2), what="its second attempt to run")
    isolated.regain_storage()
    isolated.until_beats(3)
    link.mend()
    # Back in touch, it learns that the attempt is lost and ends it, rather than resume it.
    wait_for(lambda: isolated.beat()["attempts"] == [], what="the end of the first attempt")
    lab.open("end2")
    ended = lab.until(job, "finished")
    assert (ended.attempt, ended.machine, ended.losses) == (2, "lab02", 1)
    assert max(ticks(lab, 1)) < min(ticks(lab, 2))


@pytest.mark.alone
def test_with_both_channels_down_for_a_moment_the_job_goes_on(lab: Lab, link: Link) -> None:
    alone = lab.machine("lab01", redis_socket=link.path, own_mounts=True)
    job = ticking(lab)
    pid = job_pid(alone, job)
    link.cut()
    alone.lose_storage()
    wait_for(lambda: state_of(pid) == "T", what="the job to be paused")
    alone.regain_storage()
    link.mend()
    wait_for(lambda: state_of(pid) != "T", what="the job to go on")
    lab.open("end1")
    ended = lab.until(job, "finished")
    assert (ended.attempt, ended.losses) == (1, 0)


def job_pid(machine: Machine, job_id: str) -> int:
    """Return the first process of a running job."""
    launcher = machine.pid("launcher")
    keeper = wait_for(lambda: children_of(launcher), what=f"job {job_id} to be started")[0]
    return wait_for(lambda: children_of(keeper), what=f"job {job_id} to run")[0]


def state_of(pid: int) -> str:
    """Return the state of a process as /proc tells it; T is stopped by a signal."""
    seen = look_at(pid)
    return seen.state if seen else ""
