"""A worker's comings and goings, and what becomes of its jobs: real, as a user types them."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from leftovers import kill_all, processes_of
from sandbox import Sandbox, new_sandbox
from waiting import wait_for

from mlq.jobs.view import JobView
from mlq_worker.service.notify import Listener


class Machine:
    """An installation with a queue and one machine; its jobs end when the test says so."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.folder = sandbox.folder

    def start(self) -> None:
        self.sandbox.ok("worker", "start", "--gpus", "none")

    def stop(self, *how: str) -> str:
        done = self.sandbox.run("worker", "stop", *how)
        assert done.code == 0, done
        return done.err

    def enqueue(self, script: str) -> str:
        """Enqueue a job that ends once something is written into the pipe `end`."""
        os.mkfifo(self.folder / "end")
        words = ["--mem", "50M", "--shell", f": >runs-$MLQ_ATTEMPT; {script}"]
        return self.sandbox.ok("enqueue", *words).strip()

    def end_job(self) -> None:
        (self.folder / "end").write_text("now\n")

    def job(self, job_id: str) -> JobView:
        return self.sandbox.queue().views([job_id])[0]

    def until(self, job_id: str, state: str) -> JobView:
        def reached() -> JobView | None:
            job = self.job(job_id)
            return job if job.state == state else None

        return wait_for(reached, what=f"job {job_id} to be {state}")

    def until_it_runs(self, job_id: str, attempt: int = 1) -> None:
        """Wait until a job does something.

        The queue calls it started a moment earlier, when a worker has claimed it: what that worker
        has not yet passed on when it is killed comes back as the next attempt.
        """
        wait_for((self.folder / f"runs-{attempt}").exists, what=f"job {job_id} to run")

    def worker_pid(self) -> int:
        return int((self.folder / "run" / "mlq" / "m" / "desk" / "worker.pid").read_text())

    def nothing_runs_but_the_server(self) -> bool:
        return all("supervisor" not in line for line in processes_of(self.folder).values())


@pytest.fixture
def machine() -> Iterator[Machine]:
    with new_sandbox() as sandbox:
        # Other people's load on the machine of the tests must not keep jobs waiting.
        sandbox.environ["MLQ_GUEST"] = "mine"
        sandbox.environ["MLQ_STOP_GRACE_S"] = "1"
        sandbox.start_server()
        try:
            yield Machine(sandbox)
        finally:
            sandbox.stop_server()
            kill_all(sandbox.folder)


@pytest.mark.parametrize("ending", ["stopped", "killed"])
def test_the_next_worker_adopts_what_runs(machine: Machine, ending: str) -> None:
    machine.start()
    job = machine.enqueue("read x <end; exit 3")
    machine.until_it_runs(job)
    if ending == "stopped":
        assert "its jobs go on" in machine.stop()
    else:
        os.kill(machine.worker_pid(), signal.SIGKILL)
        wait_for(lambda: machine.sandbox.run("worker", "status").code == 1, what="its death")
    assert machine.job(job).state == "started"
    machine.start()
    machine.end_job()
    ended = machine.until(job, "failed")
    assert (ended.exit_code, ended.reason, ended.attempt) == (3, "exit 3", 1)


def test_a_job_is_told_in_its_own_way_that_it_will_run_again(machine: Machine) -> None:
    machine.start()
    os.mkfifo(machine.folder / "end")
    script = "trap 'echo told; exit 0' USR1; : >runs-1; read x <end & wait"
    options = ["--mem", "50M", "--signal", "B:USR1", "--grace", "1h", "--shell", script]
    job = machine.sandbox.ok("enqueue", *options).strip()
    machine.until_it_runs(job)
    machine.stop("--now")
    assert machine.sandbox.ok("logs", job) == "told\n"
    (seen,) = json.loads(machine.sandbox.ok("show", job, "--json"))
    assert (seen["state"], seen["signal"], seen["grace_s"]) == ("queued", "B:USR1", 3600)
    assert (seen["cpu_s"] > 0, seen["max_rss_mib"] > 0) == (True, True)
    shown = machine.sandbox.ok("show", job)
    assert "SIGUSR1 to its first process, 1h from SIGTERM to SIGKILL" in shown
    assert re.search(r"used +\d+M of the 50M asked for, \S+s of CPU\n", shown)


def test_what_ended_without_a_worker_is_recorded_by_the_next(machine: Machine) -> None:
    machine.start()
    job = machine.enqueue("read x <end; echo done >witness")
    machine.until_it_runs(job)
    machine.stop()
    machine.end_job()
    wait_for((machine.folder / "witness").exists, what="the job's end")
    machine.start()
    assert machine.until(job, "finished").attempt == 1


def test_now_hands_the_jobs_back_and_leaves_nothing(machine: Machine) -> None:
    machine.start()
    # A job that ignores SIGTERM, with a child that left its session.
    job = machine.enqueue("trap '' TERM; setsid sleep 1000 & read x <end")
    options = ("--mem", "50M", "--no-requeue", "--shell", ": >once; sleep 1000")
    once = machine.sandbox.ok("enqueue", *options).strip()
    machine.until_it_runs(job)
    wait_for((machine.folder / "once").exists, what="the job that must not run again")
    assert "handed its jobs back" in machine.stop("--now")
    back = machine.until(job, "queued")
    assert back.reason.startswith("handed back")
    reason = "handed back: the worker was stopped; it must not run again (--no-requeue)"
    assert machine.until(once, "failed").reason == reason
    wait_for(machine.nothing_runs_but_the_server, what="the supervisor's end")
    assert not [line for line in processes_of(machine.folder).values() if "sleep 1000" in line]
    machine.start()
    machine.until_it_runs(job, attempt=2)
    machine.end_job()
    assert machine.until(job, "finished").attempt == 2


def test_drain_waits_for_the_jobs_and_takes_no_more(machine: Machine) -> None:
    machine.start()
    first = machine.enqueue("read x <end")
    machine.until_it_runs(first)
    with machine.sandbox.started("worker", "stop", "--drain") as drain:
        assert drain.stderr
        assert b"draining" in drain.stderr.readline()
        wait_for(
            lambda: "draining: it takes no more jobs" in machine.sandbox.ok("machines"),
            what="it to be shown",
        )
        second = machine.sandbox.ok("enqueue", "--mem", "50M", "true").strip()
        assert "later  draining" in machine.sandbox.ok("explain", second)
        machine.end_job()
        assert drain.wait(30) == 0
    assert machine.job(first).state == "finished"
    assert machine.job(second).state == "queued"
    wait_for(machine.nothing_runs_but_the_server, what="the supervisor's end")


def test_who_stops_waiting_for_a_drain_is_told_that_it_goes_on(machine: Machine) -> None:
    machine.start()
    job = machine.enqueue("read x <end")
    machine.until_it_runs(job)
    with machine.sandbox.started("worker", "stop", "--drain") as drain:
        assert drain.stderr
        assert b"draining" in drain.stderr.readline()
        drain.send_signal(signal.SIGINT)
        assert b"stops when its last has ended" in drain.communicate(timeout=30)[1]
    assert drain.returncode == 130
    assert machine.job(job).state == "started"
    machine.end_job()
    wait_for(lambda: machine.sandbox.run("worker", "status").code == 1, what="the worker's end")
    assert machine.job(job).state == "finished"
    wait_for(machine.nothing_runs_but_the_server, what="who waited in the background to leave")


def test_in_the_foreground_it_answers_systemd(machine: Machine, tmp_path: Path) -> None:
    with Listener(tmp_path / "notify") as listener:
        machine.sandbox.environ["NOTIFY_SOCKET"] = str(listener.path)
        with machine.sandbox.started("worker", "start", "--foreground", "--gpus", "none") as worker:
            pidfd = os.pidfd_open(worker.pid)
            heard = listener.wait(pidfd, 30)
            os.close(pidfd)
            assert heard.ready
            assert heard.status.startswith("desk: ")
            worker.send_signal(signal.SIGTERM)
            said = worker.communicate(timeout=30)[1].decode()
            assert worker.returncode == 0
    # Whoever sits before it sees that it works, and what becomes of the jobs when it is ended.
    assert re.search(r"INFO working; desk: \d+ cores?, ", said)
    assert "INFO leaving; its jobs go on" in said


def doing(sandbox: Sandbox) -> str:
    (told,) = json.loads(sandbox.run("worker", "status", "--json").out)
    return str(told["doing"])


def test_a_worker_that_keeps_trying_waits_for_its_queue(machine: Machine) -> None:
    sandbox = machine.sandbox
    sandbox.stop_server()
    words = ("worker", "start", "--foreground", "--gpus", "none")
    refused = sandbox.run(*words)
    assert refused.code != 0
    assert "no queue answers" in refused.err
    with sandbox.started(*words, "--keep-trying") as worker:
        wait_for(lambda: "not working yet: no queue answers" in doing(sandbox), what="a try")
        sandbox.start_server()
        wait_for(lambda: doing(sandbox).startswith("desk: "), what="the worker to work")
        worker.terminate()
        assert worker.wait(20) == 0


@pytest.mark.parametrize("how", [(), ("--drain",), ("--now",)])
def test_a_worker_that_keeps_trying_can_be_stopped(machine: Machine, how: tuple[str, ...]) -> None:
    sandbox = machine.sandbox
    sandbox.stop_server()
    words = ("worker", "start", "--foreground", "--keep-trying", "--gpus", "none")
    with sandbox.started(*words) as worker:
        wait_for(lambda: doing(sandbox).startswith("not working yet: "), what="a try")
        assert sandbox.run("worker", "stop", *how).code == 0
        assert worker.wait(20) == 0
