"""`mlq cancel`, `retry` and `wait`."""

import signal

import pytest
from sandbox import Sandbox
from waiting import wait_for

from mlq.jobs.lifecycle import Event
from mlq.jobs.view import JobView
from mlq_cli.waiting import exit_code_of

pytestmark = pytest.mark.slow


def test_cancel_says_what_it_did(installation: Sandbox) -> None:
    installation.submit(name="running", cores=2)
    installation.claim("1")
    for number in range(3):
        installation.submit(name=f"waiting-{number}")
    out = installation.ok("cancel", "running", "waiting-*")
    assert out == "canceled 3 jobs: 2-4\nstopping 1 job: 1 (see: mlq wait 1)\n"
    states = {job.id: (job.state, job.reason) for job in installation.queue().every()}
    assert states["1"] == ("started", "stopping: canceled")
    assert states["2"] == ("canceled", "canceled")


def test_cancel_of_what_has_ended_changes_nothing(installation: Sandbox) -> None:
    installation.submit()
    installation.ok("cancel", "1")
    done = installation.run("cancel", "1")
    assert (done.code, done.out) == (1, "")
    assert done.err == "mlq: nothing to cancel: 1 had ended\n"
    installation.submit()
    done = installation.run("cancel", "1-2")
    assert (done.code, done.out, done.err) == (
        0,
        "canceled 2\n",
        "mlq: nothing to cancel: 1 had ended\n",
    )


def test_retry_queues_ended_jobs_again(installation: Sandbox) -> None:
    installation.submit(name="a")
    installation.submit(name="b")
    installation.queue().cancel(["1"])
    done = installation.run("retry", "a", "b")
    assert (done.code, done.out) == (0, "queued again: 1\n")
    assert done.err == "mlq: not queued again: 2 has not ended yet\n"
    assert [job.state for job in installation.queue().every()] == ["queued", "queued"]
    assert installation.run("retry", "2").code == 1


def test_retry_leaves_finished_jobs_alone_unless_agreed_to(installation: Sandbox) -> None:
    for _ in range(3):
        installation.submit()
    installation.queue().cancel(["3"])
    for job_id in ("1", "2"):
        installation.claim(job_id)
        installation.move(job_id, Event.SUCCEED)
    done = installation.run("retry", "1-3")
    assert (done.code, done.out) == (0, "queued again: 3\n")
    assert done.err == "mlq: not queued again: 1, 2 finished (--finished runs them, too)\n"
    asked = installation.run("retry", "--finished", "1")
    assert (asked.code, asked.out) == (2, "")
    assert "1 job finished, and there is no terminal to ask on" in asked.err
    assert installation.ok("retry", "--finished", "--yes", "1") == "queued again: 1\n"
    assert [job.state for job in installation.queue().every()] == ["queued", "finished", "queued"]


def test_retry_says_what_it_put_back(installation: Sandbox) -> None:
    parent = installation.submit()
    for _ in range(3):
        installation.submit(after=[parent])
    installation.queue().cancel([parent])
    assert installation.ok("retry", parent) == (
        "queued again: 1\nalso put back 3 jobs that were canceled because of 1: 2-4\n"
    )


def test_states_and_globs_are_combined_or_refused_in_one_message(installation: Sandbox) -> None:
    for name in ("lr-1", "lr-2", "wd-1"):
        installation.submit(name=name)
    assert installation.ok("cancel", "--state", "queued", "lr-*") == "canceled 2 jobs: 1, 2\n"
    assert installation.ok("retry", "--state", "canceled,failed") == "queued again: 2 jobs: 1, 2\n"
    assert [line.split()[0] for line in installation.ok("ls", "lr-*").splitlines()[1:3]] == [
        "1",
        "2",
    ]
    for words, code, message in [
        (["cancel"], 2, "cancel: which jobs: either ids or names are needed, or --state"),
        (["cancel", "--state", "failed"], 2, "cancel: --state failed does not apply"),
        (["cancel", "--state", "runing"], 2, "--state runing: there is no such state"),
        (["cancel", "x*"], 1, "no job x*: no name of a job that is "),
        (
            ["retry", "--state", "finished"],
            2,
            "retry: finished jobs have results that a second run",
        ),
        (["retry", "--state", "failed"], 1, "no job is failed"),
        (["ls", "x*"], 1, "no job x*: no name of a job matches it"),
        (["show", "wd-1", "--state", "failed"], 1, "no job of wd-1 is failed"),
    ]:
        done = installation.run(*words)
        assert (done.code, done.out) == (code, ""), words
        assert done.err.startswith(f"mlq: {message}")


def test_wait_returns_when_all_have_ended(installation: Sandbox) -> None:
    for _ in range(2):
        installation.claim(installation.submit())
    installation.move("1", Event.SUCCEED, mlq_exit_code=0)
    with installation.started("wait", "1-2") as process:
        installation.move("2", Event.SUCCEED, mlq_exit_code=0)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, b"", b"")


def test_who_waits_for_what_is_held_is_told(installation: Sandbox) -> None:
    installation.submit()
    installation.ok("hold", "1", "--reason", "no data yet")
    done = installation.run("wait", "1", "--timeout", "0.1s")
    assert "mlq: all that is left is held: no data yet (see: mlq release)" in done.err


def test_wait_tells_which_jobs_did_not_finish(installation: Sandbox) -> None:
    for number in range(8):
        installation.submit(name=f"lr-{number}")
    installation.claim("1")
    installation.move("1", Event.SUCCEED)
    installation.claim("2")
    installation.move("2", Event.FAIL, mlq_exit_code=7, mlq_reason="exit 7")
    installation.queue().cancel([str(number) for number in range(3, 9)])
    done = installation.run("wait", "1-8")
    assert (done.code, done.out) == (7, "")
    told = done.err.splitlines()
    assert told[:2] == ["mlq: 2 lr-1 failed: exit 7", "mlq: 3 lr-2 canceled"]
    assert told[5:] == ["mlq: and 2 more did not finish"]


def job(state: str, exit_code: int | None = None) -> JobView:
    values = dict.fromkeys(JobView._fields)
    return JobView(**{**values, "state": state, "exit_code": exit_code})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("jobs", "code"),
    [
        ([job("finished", 0), job("finished", 0)], 0),
        ([job("finished", 0), job("failed", 3), job("failed", 4)], 3),
        ([job("canceled")], 1),
        ([job("failed", 0)], 1),
        ([job("failed", 137)], 137),
        ([job("failed", -9)], 137),
        ([job("failed", 130)], 130),
        ([job("failed", 256)], 1),
    ],
)
def test_the_exit_code_follows_the_jobs(jobs: list[JobView], code: int) -> None:
    assert exit_code_of(jobs) == code


def test_ctrl_c_while_waiting_leaves_the_job_alone(installation: Sandbox) -> None:
    installation.submit()
    with installation.started("wait", "1") as process:
        wait_until_asking(installation)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, b"")
    assert err == b"mlq: no longer waiting; 1 goes on\n"
    assert installation.queue().views(["1"])[0].state == "queued"


def wait_until_asking(installation: Sandbox) -> None:
    """Wait until another command than ours has asked for a row of a job, again and again.

    Its first questions, one of which the server may not know yet, are which job is meant.
    """
    client = installation.queue().store.client

    def asked() -> int:
        told = client.call("INFO", "commandstats").decode().splitlines()
        calls = [line for line in told if line.startswith("cmdstat_evalsha:")]
        return sum(int(line.split("calls=")[1].split(",")[0]) for line in calls)

    before = asked()
    wait_for(lambda: asked() >= before + 4, what="the command to ask")


@pytest.mark.parametrize("words", [["wait", "1"], ["logs", "-f", "1"]])
def test_whoever_waits_outlives_a_restart_of_the_queue(
    installation: Sandbox, words: list[str]
) -> None:
    installation.claim(installation.submit())
    with installation.started(*words) as process:
        assert process.stderr is not None
        client = installation.queue().store.client
        wait_for(lambda: client.call("CLIENT", "LIST").count(b"cmd=evalsha") > 0, what="a waiter")
        installation.stop_server()
        assert b"; waiting until it does (Ctrl-C stops that)\n" in process.stderr.readline()
        installation.start_server()
        assert process.stderr.readline() == b"mlq: the queue answers again\n"
        installation.move("1", Event.SUCCEED)
        assert process.wait(30) == 0


def test_whoever_waits_for_a_queue_that_is_away_can_leave(installation: Sandbox) -> None:
    installation.submit()
    with installation.started("wait", "1") as process:
        assert process.stderr is not None
        client = installation.queue().store.client
        wait_for(lambda: client.call("CLIENT", "LIST").count(b"cmd=evalsha") > 0, what="a waiter")
        installation.stop_server()
        process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, b"mlq: no longer waiting; 1 goes on\n")
