"""The server's data are gone, whole; the queue is made anew from the copy and the results root."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from keyspace import problems
from local_lab import PATIENT, Lab, alive, new_lab
from sandbox import Completed
from waiting import wait_for

from mlq.copies.keeper import LATEST, copies_dir
from mlq.server.files import ServerFiles
from mlq.settings.load import load
from mlq.store.connection import open_redis
from mlq_worker.rebuild.plan import GAP

WAIT = "until [ -e {gate} ]; do sleep 0.05; done"


@pytest.fixture
def lab() -> Iterator[Lab]:
    with new_lab(**PATIENT) as made:
        yield made


def lose_all(lab: Lab) -> None:
    """Kill the server, and delete all that it had on its disk."""
    folder = load(lab.environ).settings.server_dir
    pid = ServerFiles(folder).pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not alive(pid), what="the death of the server")
    shutil.rmtree(folder)
    lab._queue = None


def restore(lab: Lab, *words: str) -> Completed:
    done = lab.sandbox.run("server", "restore", *words)
    lab.sandbox.served = True
    return done


def give_out(lab: Lab) -> None:
    """Let the time pass in which machines tell what they run."""
    with open_redis(load(lab.environ).settings) as client:
        client.delete("mlq:restored")


def shown(lab: Lab) -> dict[str, dict[str, Any]]:
    rows = json.loads(lab.sandbox.ok("ls", "-a", "--json"))
    # How its machine is, is no property of a job.
    return {row["id"]: row | {"condition": ""} for row in rows}


def differences(lab: Lab, before: dict[str, dict[str, Any]]) -> list[str]:
    """Return what of the jobs is not shown as it was, each field with both values."""
    now = shown(lab)
    if list(now) != list(before):
        return [f"{list(before)} are {list(now)}"]
    return [
        f"{job}: {name} was {before[job][name]!r}, is {value!r}"
        for job, row in now.items()
        for name, value in row.items()
        if value != before[job][name]
    ]


def copied(lab: Lab, **states: str) -> None:
    """Wait until a copy holds these jobs in these states."""
    from mlq.copies.keeper import find_copy

    def holds() -> bool:
        found = find_copy(lab.layout, lambda _: None)
        jobs = found.copy.jobs if found else {}
        return all(
            one.removeprefix("job") in jobs
            and jobs[one.removeprefix("job")].fields["status"] == state
            for one, state in states.items()
        )

    wait_for(holds, timeout_s=90, what=f"a copy with {states}")


def test_what_runs_goes_on_and_what_waits_runs_in_its_order(lab: Lab) -> None:
    machine = lab.machine("lab01", "--cores", "2")
    ended = lab.sh("exit 0", name="good")
    failed = lab.sh("exit 3", name="bad", retries=1)
    lab.until(ended, "finished")
    lab.until(failed, "failed", attempt=2)
    running = lab.sh(f"echo $$ >pid; {WAIT.format(gate='one')}; echo done")
    lab.until(running, "started")
    pid = lab.pid("pid")
    # These need both cores: they wait, and then run one after the other.
    waiting = [lab.sh(f"echo {name} >>order", cores=2, name="w") for name in "abc"]
    child = lab.sh("echo child >>order", cores=2, after=(waiting[0],))
    dropped = lab.sh("echo never >>order", cores=2)
    lab.sandbox.ok("cancel", dropped)
    assert "a copy of 5 jobs that had not ended" in lab.sandbox.ok("server", "stop")
    lab.sandbox.ok("server", "start")
    lab.machine("lab02", "--cores", "1").stop()  # its renewal is not disturbed by another machine
    before = shown(lab)

    lose_all(lab)
    assert alive(pid)
    done = restore(lab, "--dry-run")
    assert done.code == 0, done
    assert "1 deferred, 3 queued, 1 started, 1 finished, 1 failed, 1 canceled" in done.out
    assert restore(lab).code == 2  # nobody can be asked
    done = restore(lab, "--yes")
    assert done.code == 0, done

    assert differences(lab, before) == []
    lab.until_shown("lab01", lambda row: row.get("attempts") == [[running, 1]])
    (lab.folder / "one").touch()
    assert lab.until(running, "finished").attempt == 1
    assert lab.log(running) == b"done\n"
    assert not alive(pid)
    give_out(lab)
    for job in [*waiting, child]:
        lab.until(job, "finished")
    assert lab.file("order").split() == ["a", "b", "c", "child"]
    assert lab.job(dropped).state == "canceled"
    later = lab.sh("true")
    assert later == str(int(dropped) + GAP + 1)
    lab.until(later, "finished")
    with open_redis(load(lab.environ).settings) as client:
        assert problems(client) == []
    assert restore(lab, "--yes").out == (
        "the queue's server holds this queue, 9 jobs: nothing to restore\n"
    )
    machine.stop()


def test_an_end_that_came_after_the_copy_is_known_by_its_result(lab: Lab) -> None:
    machine = lab.machine("lab01")
    job = lab.sh(WAIT.format(gate="gate"))
    lab.until(job, "started")
    machine.kill("worker")
    machine.start()  # which makes a copy at once
    copied(lab, **{f"job{job}": "started"})
    (told,) = lab.doctor("copy")
    assert (told["level"], "1 job not ended" in told["says"]) == ("ok", True)
    lab.open("gate")
    lab.until(job, "finished")
    later = lab.sh("exit 4")  # begun and ended after the copy
    lab.until(later, "failed")
    before = shown(lab)
    lose_all(lab)
    assert restore(lab, "--yes").code == 0
    assert differences(lab, before) == []


def test_what_is_no_job_is_named_and_left_alone(lab: Lab) -> None:
    lab.machine("lab01")
    good, bad = lab.sh("true"), lab.sh("true")
    for job in (good, bad):
        lab.until(job, "finished")
    lab.sandbox.ok("server", "stop")
    jobs = lab.layout.jobs_dir
    Path(lab.layout.folder(bad).job_file).write_text('{"spec": [[[')
    (jobs / "notes").mkdir()
    (jobs / "notes" / "x").touch()
    (jobs / "99999999999999999999").mkdir()
    (jobs / "file").touch()
    os.mkfifo(jobs / "pipe")
    (jobs / "7").mkdir()
    os.mkfifo(jobs / "7" / "job.json")
    (lab.layout.workers_dir / "lab09.beat").write_text("[[")
    (jobs / good / "attempts" / "x").mkdir()
    lab._queue = None
    shutil.rmtree(load(lab.environ).settings.server_dir)
    done = restore(lab, "--yes", "--json")
    assert done.code == 0, done
    (told,) = json.loads(done.out)
    left = " ".join(told["left_out"])
    named = (f"jobs/{bad}/job.json", "jobs/notes", "jobs/file", "jobs/pipe", "jobs/7/", "lab09")
    assert [one for one in named if one not in left] == []
    assert "Traceback" not in done.err
    assert list(shown(lab)) == [good]
    assert told["last_number"] == 7 + GAP


def test_a_damaged_copy_is_told_and_the_one_before_is_used(lab: Lab) -> None:
    job = lab.sh("true")
    lab.machine("lab01").stop("--now")
    lab.sandbox.ok("server", "stop")
    lab.sandbox.ok("server", "start")
    lab.sandbox.ok("server", "stop")
    (copies_dir(lab.layout) / LATEST).write_bytes(b"\0" * 100)
    shutil.rmtree(load(lab.environ).settings.server_dir)
    lab._queue = None
    (told,) = json.loads(restore(lab, "--yes", "--json").out)
    assert LATEST in told["left_out"][0]
    assert told["jobs"] == 1
    assert list(shown(lab)) == [job]


def test_a_restore_that_was_killed_is_run_again(lab: Lab) -> None:
    jobs = [lab.sh("true", name=f"n{number}") for number in range(40)]
    lab.machine("lab01").stop("--now")
    before = shown(lab)
    lab.sandbox.ok("server", "stop")
    shutil.rmtree(load(lab.environ).settings.server_dir)
    lab._queue = None
    with lab.sandbox.started("server", "restore", "--yes") as process:
        # Killed while it works; whether early or late must not matter.
        wait_for(lambda: process.poll() is not None or _has_begun(lab), what="the restoring")
        process.kill()
    done = restore(lab, "--yes")
    assert done.code == 0, done
    assert differences(lab, before) == []
    assert list(shown(lab)) == jobs


def _has_begun(lab: Lab) -> bool:
    return ServerFiles(load(lab.environ).settings.server_dir).pid() is not None


def test_no_root_no_restore(lab: Lab) -> None:
    done = lab.sandbox.run("server", "restore", environ={"MLQ_ROOT": str(lab.folder / "nowhere")})
    assert done.code == 1
    assert "is no results root of a queue" in done.err
