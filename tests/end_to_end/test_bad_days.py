"""Bad input and bad days: each is told in plain words, and nothing is lost or run twice."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest
from disks import small_disk
from local_lab import Lab, Machine, alive, new_lab
from rq.job import Job
from waiting import wait_for

from mlq.api.queue import Queue
from mlq.errors import QueueUnreachableError
from mlq.server.status import status
from mlq.store.connection import open_redis
from mlq.submit.submission import Submission

WAIT = "until [ -e {gate} ]; do sleep 0.05; done"


# --- jobs that cannot run -------------------------------------------------------------------------


def test_faults_of_a_job_are_named(lab: Lab) -> None:
    lab.machine("lab01")
    script = lab.folder / "script"
    script.write_text("print(1)\n")
    jobs = {
        "command not found: trian.py, on lab01": lab.sandbox.submit("trian.py"),
        "working directory missing: /nowhere, on lab01": lab.sandbox.submit("true", cwd="/nowhere"),
        f"permission denied: {script}": lab.sandbox.submit("./script"),
    }
    for reason, job in jobs.items():
        ended = lab.until(job, "failed")
        assert (ended.reason, ended.attempt) == (reason, 1)
    assert lab.job(jobs["command not found: trian.py, on lab01"]).exit_code == 127
    assert lab.until(lab.sh("true"), "finished").attempt == 1


def test_a_working_directory_in_which_nobody_can_write(lab: Lab) -> None:
    lab.machine("lab01")
    # Not even root writes there. The log is elsewhere, so the job itself can say what is wrong.
    job = lab.sh("echo here; echo x >mlq-file || exit 5", cwd="/proc")
    ended = lab.until(job, "failed")
    assert ended.exit_code == 5
    assert re.fullmatch("exit 5: .*mlq-file: .*", ended.reason)
    assert lab.log(job).startswith(b"here\n")
    assert b"mlq-file" in lab.log(job)


# --- what jobs write ------------------------------------------------------------------------------


def test_output_that_is_no_text_is_kept_to_the_byte(lab: Lab) -> None:
    lab.machine("lab01")
    data = bytes(range(256)) * 3 + b"\xff\xfe\x80 no newline at the end"
    (lab.folder / "bytes").write_bytes(data)
    job = lab.sandbox.submit("cat", "bytes")
    lab.until(job, "finished")
    assert lab.log(job) == data
    shown = lab.sandbox.run("logs", job)
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.endswith("no newline at the end")


def test_a_line_of_100_mb_harms_nobody(lab: Lab) -> None:
    machine = lab.machine("lab01")
    size = 100 * 2**20
    code = f"import sys\nfor _ in range(100): sys.stdout.write('x' * {2**20})\nprint('end')"
    job = lab.sandbox.submit(sys.executable, "-c", code)
    lab.until(job, "finished")
    assert lab.layout.log_file(job, 1).stat().st_size == size + 4
    for role in ("worker", "supervisor", "launcher"):
        assert resident_mib(machine.pid(role)) < 80
    with (
        (lab.folder / "shown").open("wb") as file,
        lab.sandbox.started("logs", job, stdout=file) as logs,
    ):
        assert logs.wait(60) == 0
    shown = (lab.folder / "shown").read_bytes()
    assert (len(shown), shown[-5:]) == (size + 4, b"xend\n")


def resident_mib(pid: int) -> int:
    """Return the memory that a process ever had."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


# --- the disk -------------------------------------------------------------------------------------


def fill(folder: Path) -> Path:
    """Leave no room on the disk of a folder; returns the file that takes it."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        while True:
            file.write(b"x" * 4096)
    return filler


def test_a_full_disk_sends_the_job_back_and_loses_nothing(lab: Lab) -> None:
    # Long enough to be seen, short enough to be waited for.
    lab.environ |= {"MLQ_BEAT_S": "0.5", "MLQ_LEASE_S": "2", "MLQ_FENCE_S": "3", "MLQ_DEAD_S": "9"}
    with small_disk(lab.layout.root, "size=2m,mode=700"):
        lab.machine("lab01")
        running = lab.sh(f"echo $$ >pid; {WAIT.format(gate='end')}; exit 4")
        pid = lab.pid("pid")
        filler = fill(lab.layout.root)
        job = lab.sh("echo it ran")
        shown = lab.until_shown("lab01", lambda row: None if row["offering"] else row)
        assert shown["note"].startswith("results root fails: cannot write ")
        assert "No space left on device" in shown["note"]
        back = lab.until(job, "queued")
        assert "No space left on device" in back.reason
        assert (back.losses, back.failures) == (0, 0)
        # What runs goes on, and its end is known though no result can be written.
        assert alive(pid)
        lab.open("end")
        assert lab.until(running, "failed").exit_code == 4
        filler.unlink()
        ended = lab.until(job, "finished")
        assert lab.log(job, ended.attempt) == b"it ran\n"
        lab.until_shown("lab01", lambda row: row["offering"])
        # No half-written file is left.
        assert not list(lab.layout.root.rglob(".*.tmp"))


def test_a_root_that_is_full_at_the_start_is_told_at_once(lab: Lab) -> None:
    with small_disk(lab.layout.root, "size=64k,mode=700"):
        fill(lab.layout.root)
        assert "No space left on device" in refused_start(lab)


def test_a_root_that_cannot_be_written_is_told_at_once(lab: Lab) -> None:
    if os.geteuid():
        lab.layout.root.chmod(0o500)
        assert "Permission denied" in refused_start(lab)
    else:
        with small_disk(lab.layout.root, "ro"):
            assert "Read-only file system" in refused_start(lab)


def test_a_root_that_is_no_folder_is_told_at_once(lab: Lab) -> None:
    lab.layout.root.rmdir()
    lab.layout.root.touch()
    assert "MLQ_ROOT" in refused_start(lab)


def test_a_root_belongs_to_one_queue(lab: Lab) -> None:
    lab.machine("lab01")
    with new_lab() as other:
        root = other.environ["MLQ_ROOT"]
        other.environ["MLQ_ROOT"] = str(lab.layout.root)
        said = refused_start(other)  # it may as well be this root's queue, emptied
        assert f"the results root {lab.layout.root}" in said
        assert "a new queue takes a new root" in said
        other.environ["MLQ_ROOT"] = root
        other.machine("lab02").stop()
        other.environ["MLQ_ROOT"] = str(lab.layout.root)
        said = refused_start(other)
    assert f"{lab.layout.root} belongs to another queue" in said


def refused_start(lab: Lab) -> str:
    """Start a worker that must not start; return the one message."""
    done = Machine(lab, "refused", ("--gpus", "none")).try_start()
    assert done.code != 0
    assert "Traceback" not in done.err
    assert str(lab.environ["MLQ_ROOT"]) in done.err
    assert not lab.queue.store.reads.machines().get("refused")
    return done.err


# --- the queue's server ---------------------------------------------------------------------------


def test_a_killed_server_under_load_loses_nothing_and_runs_nothing_twice(lab: Lab) -> None:
    for name in ("lab01", "lab02"):
        lab.machine(name)
    acknowledged: list[str] = []
    stop = threading.Event()
    # What is written with one write(2) to a file opened for appending is never torn.
    script = "echo $MLQ_JOB_ID >>ran"

    queue = Queue.connect(lab.environ)
    job = Submission(argv=("/bin/sh", "-c", script), cwd=str(lab.folder), python_env="")

    def submit() -> None:
        while not stop.is_set():
            try:
                acknowledged.append(queue.submit([job])[0].id)
            except QueueUnreachableError:
                wait_for(lambda: answers(queue), what="the server to be back")

    thread = threading.Thread(target=submit)
    thread.start()
    try:
        for round_number in range(1, 4):
            wanted = 25 * round_number
            wait_for(lambda n=wanted: len(acknowledged) >= n, what=f"{wanted} jobs")
            server = status(lab.queue.settings).pid
            assert server is not None
            os.kill(server, signal.SIGKILL)
            wait_for(lambda: not status(lab.queue.settings).running, what="its death")
            lab.sandbox.ok("server", "start")
        wait_for(lambda: len(acknowledged) >= 100, what="100 jobs")
    finally:
        stop.set()
        thread.join()
    wait_for(lambda: not queue.unended(), what="all jobs to end")
    views = {view.id: view for view in queue.every()}
    assert set(acknowledged) <= set(views)
    assert {view.state for view in views.values()} == {"finished"}
    ran = Counter((lab.folder / "ran").read_text().split())
    assert ran == Counter(list(views))


def answers(queue: Queue) -> bool:
    """Tell whether the queue's server answers."""
    try:
        return bool(queue.store.client.call("PING"))
    except QueueUnreachableError:
        return False


# --- rq's tools -----------------------------------------------------------------------------------


@pytest.mark.parametrize("off", [False, True], ids=["its machine runs", "its machine is off"])
def test_a_running_job_that_rq_deletes_is_ended_and_forgotten(lab: Lab, off: bool) -> None:
    first = lab.machine("lab01")
    job = lab.sh("echo $$ >pid; exec sleep 1000")
    pid = lab.pid("pid")
    if off:
        first.cut_power()
        machine = lab.machine("lab02")
    else:
        machine = first
    with open_redis(lab.queue.settings) as client:
        Job.fetch(job, client, serializer="json").delete()
        wait_for(lambda: not alive(pid), what="its process to end")
        wait_for(lambda: not client.exists("mlq:leases"), what="its lease to be dropped")
        if off:
            first.start()
        wait_for(lambda: not client.exists("mlq:held:lab01"), what="nothing to be held")
    machine.until_beats(5)
    assert "WARNING" not in (machine.runtime / "worker.log").read_text()
    assert lab.until(lab.sh("true"), "finished").attempt == 1
