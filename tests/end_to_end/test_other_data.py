"""The server comes back with other, older or no data; or another folder lies in the root's place.

What runs goes on, nothing is started, and it is said; nothing is ended because a queue forgot it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from local_lab import DEAD_S, Lab, Machine, alive
from ticking import ticking, ticks
from waiting import wait_for

WAIT = "echo $$ >pid-$MLQ_JOB_ID; until [ -e end-$MLQ_JOB_ID ]; do sleep 0.05; done"


def exchange_data(lab: Lab, home: Path, root: Path | None = None) -> None:
    """Stop the server and start it on other data; with a root of its own, on none at first."""
    lab.sandbox.ok("server", "stop")
    lab.environ["XDG_DATA_HOME"] = str(home)
    # The command would refuse, since it knows that there was more: whoever does this insists.
    elsewhere = {"MLQ_ROOT": str(root or lab.layout.root)}
    done = lab.sandbox.run("server", "start", "--accept-loss", environ=elsewhere)
    assert done.code == 0, done
    lab._queue = None  # its connection is to the server that was


def back_up(lab: Lab) -> Path:
    """Copy the data of a server that has had a worker."""
    lab.sandbox.ok("server", "stop")
    copy = lab.folder / "backup"
    shutil.copytree(lab.folder / "data", copy, ignore=shutil.ignore_patterns("*.sock"))
    lab.sandbox.ok("server", "start")
    return copy


def last_number(lab: Lab) -> int:
    return int(lab.sandbox.queue().store.client.call("GET", "mlq:last_number") or 0)


def doctor(lab: Lab, topic: str, **environ: str) -> str:
    done = lab.sandbox.run("doctor", "--json", environ=environ)
    found = [one for one in json.loads(done.out) if one["topic"] == topic]
    return "; ".join(f"{one['level']}: {one['says']}" for one in found)


def doing(lab: Lab, machine: str) -> str:
    done = lab.sandbox.run("worker", "status", "--name", machine, "--json")
    return str(json.loads(done.out)[0]["doing"])


def test_a_server_with_other_data_is_silence_to_what_runs(lab: Lab) -> None:
    machine = lab.machine("lab01")
    runs, ends = lab.sh(WAIT), lab.sh(WAIT)
    pid = lab.pid(f"pid-{runs}")
    gone = lab.pid(f"pid-{ends}")
    other = lab.folder / "other"
    for folder in (other, other / "root"):
        folder.mkdir(mode=0o700)
    exchange_data(lab, other, other / "root")
    waits = lab.sandbox.ok("enqueue", "true").split()[0]
    wait_for(lambda: "lost its data" in doing(lab, "lab01"), what="the worker to say it")
    lab.open(f"end-{ends}")
    wait_for(lambda: not alive(gone), what="a job to end meanwhile")
    machine.until_beats(round(2 * DEAD_S / 0.2))
    assert alive(pid)
    assert "its jobs go on, and none is started" in doing(lab, "lab01")
    shown = lab.sandbox.run("machines")
    assert f"what this queue does not know: {runs}" in " ".join(shown.out.split())
    assert "mlq server restore" in shown.err
    assert "problem: the queue's server has lost its data" in doctor(lab, "queue's data")
    queue = lab.sandbox.queue()
    keys = ("mlq:machines", "mlq:queue_id", "mlq:reaper", "mlq:machine:lab01")
    assert queue.store.client.call("EXISTS", *keys) == 0
    assert queue.views([waits])[0].state == "queued"

    exchange_data(lab, lab.folder / "data")
    lab.until(ends, "finished")
    lab.open(f"end-{runs}")
    assert (lab.until(runs, "finished").attempt, lab.job(ends).attempt) == (1, 1)


def test_a_worker_does_not_start_in_an_emptied_queue(lab: Lab) -> None:
    machine = lab.machine("lab01")
    machine.stop()
    other = lab.folder / "other"
    other.mkdir(mode=0o700)
    exchange_data(lab, other, other / "root")
    done = machine.try_start()
    assert done.code == 1
    assert "the queue's server has no data" in done.err
    assert "mlq server restore" in done.err


def test_a_restored_backup_takes_back_what_it_has_forgotten(lab: Lab) -> None:
    lab.machine("lab03").stop()
    known = lab.sh(WAIT)
    backup = back_up(lab)
    machine = lab.machine("lab01")
    unknown = lab.sh(f"echo kept >$MLQ_CHECKPOINT_DIR/file; {WAIT}")
    pids = [lab.pid(f"pid-{job}") for job in (known, unknown)]
    exchange_data(lab, backup)
    lab.until(known, "started")
    lab.until_shown("lab01", lambda row: f"does not know: {unknown}" in row["condition"])
    assert f"does not know: {unknown}" in doctor(lab, "worker", MLQ_MACHINE="lab01")
    machine.until_beats(round(DEAD_S / 0.2))
    assert [alive(pid) for pid in pids] == [True, True]
    wait_for(lambda: last_number(lab) >= int(unknown), what="the numbers to be raised")
    new = lab.sh("cat $MLQ_CHECKPOINT_DIR/file && exit 3; true")
    assert int(new) > int(unknown)
    lab.open(f"end-{known}")
    lab.open(f"end-{unknown}")
    assert lab.until(known, "finished").attempt == 1
    assert lab.until(new, "finished").attempt == 1
    wait_for(lambda: not alive(pids[1]), what="the end of the forgotten job")
    wait_for(lambda: lab.layout.result_file(unknown, 1).exists(), what="its result")
    assert lab.log(unknown) == b""


def test_a_forgotten_attempt_is_not_started_beside_itself(lab: Lab) -> None:
    lab.machine("lab03").stop()
    job = ticking(lab)
    backup = back_up(lab)
    first = lab.machine("lab01")
    lab.until(job, "started")
    lab.file("ticks")
    first.stop()  # its supervisor goes on: so the queue cannot hear from it
    exchange_data(lab, backup)
    second = lab.machine("lab02")
    log = second.runtime / "worker.log"
    wait_for(lambda: "it is held by lab01" in log.read_text(), what="the claim to be put back")
    second.until_beats(round(2 * DEAD_S / 0.2))
    view = lab.job(job)
    assert (view.state, view.attempt, view.machine) == ("started", 1, "lab01")
    first.start()
    lab.open("end1")
    ended = lab.until(job, "finished")
    assert (ended.attempt, ended.machine, ended.losses) == (1, "lab01", 0)
    assert {line.split()[0] for line in lab.file("ticks").splitlines()} == {"1"}


def test_a_result_of_a_forgotten_attempt_is_found(lab: Lab) -> None:
    lab.machine("lab03").stop()
    job = lab.sh("echo once >>ran")
    backup = back_up(lab)
    first = lab.machine("lab01")
    lab.until(job, "finished")
    first.stop()
    exchange_data(lab, backup)
    lab.machine("lab02")
    ended = lab.until(job, "finished")
    assert (ended.attempt, ended.losses) == (1, 0)
    assert lab.file("ran") == "once\n"


def test_a_job_with_another_ones_number_touches_nothing_of_it(lab: Lab) -> None:
    lab.machine("lab03").stop()
    lab.sh("true")
    backup = back_up(lab)
    machine = lab.machine("lab01")
    old = lab.sh("echo kept >$MLQ_CHECKPOINT_DIR/file; echo old")
    lab.until(old, "finished")
    machine.stop()
    exchange_data(lab, backup)
    again = lab.sh("cat $MLQ_CHECKPOINT_DIR/file; echo new")
    assert again == old
    before = {path: path.stat().st_mtime_ns for path in lab.layout.job_dir(old).rglob("*")}
    machine.start()
    assert "was another job before" in lab.until(again, "failed").reason
    assert {path: path.stat().st_mtime_ns for path in lab.layout.job_dir(old).rglob("*")} == before
    assert lab.log(old) == b"old\n"
    assert int(lab.sh("true")) > int(old)


# --- the results root -----------------------------------------------------------------------------


def cover(machine: Machine, folder: Path) -> None:
    """Let another folder lie where this machine has the results root."""
    _in_its_mounts(machine, "mount", "--bind", str(folder), str(machine.lab.layout.root))


def uncover(machine: Machine) -> None:
    _in_its_mounts(machine, "umount", "--lazy", str(machine.lab.layout.root))


def _in_its_mounts(machine: Machine, *words: str) -> None:
    enter = ["nsenter", "--mount", f"--target={machine.pid('supervisor')}"]
    subprocess.run([*enter, *words], check=True)


@pytest.fixture
def elsewhere(lab: Lab) -> Path:
    """A folder of ours, as where the share is not mounted."""
    folder = lab.folder / "elsewhere"
    folder.mkdir(mode=0o700)
    return folder


@pytest.mark.root
def test_a_folder_in_the_roots_place_is_not_made_one(lab: Lab, elsewhere: Path) -> None:
    lab.machine("lab01")
    root = lab.layout.root
    script = f'mount --bind {elsewhere} {root}; exec "$0" "$@"'
    words = ["unshare", "--mount", "sh", "-ec", script, str(lab.sandbox.program)]
    done = subprocess.run(
        [*words, "worker", "start", "--name", "lab02"],
        env=lab.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"{root} is not the queue's results root: it has no queue.json" in done.stderr
    assert os.listdir(elsewhere) == []  # noqa: PTH208 - names, not paths
    examined = subprocess.run(
        [*words, "doctor", "--json"], env=lab.environ, capture_output=True, text=True, check=False
    )
    (found,) = [one for one in json.loads(examined.stdout) if one["topic"] == "queue's root"]
    assert (found["level"], "has no queue.json" in found["says"]) == ("problem", True)


@pytest.mark.root
@pytest.mark.parametrize("owner", ["", '{"queue": "another", "format": 1}'])
def test_a_machine_that_loses_the_root_keeps_its_jobs_and_starts_none(
    lab: Lab, elsewhere: Path, owner: str
) -> None:
    if owner:
        (elsewhere / "queue.json").write_text(owner)
    machine = lab.machine("lab01", own_mounts=True)
    job = lab.sh(f"{WAIT}; exit 3")
    pid = lab.pid(f"pid-{job}")
    cover(machine, elsewhere)
    why = "belongs to another queue" if owner else "has no queue.json"
    lab.until_shown("lab01", lambda row: why in row["condition"] and not row["offering"])
    assert "not the queue's results root" in doing(lab, "lab01")
    waits = lab.sh("true")
    lab.open(f"end-{job}")
    wait_for(lambda: not alive(pid), what="its end")
    assert {path.name for path in elsewhere.iterdir()} <= {"queue.json"}
    assert lab.job(waits).state == "queued"
    uncover(machine)
    assert lab.until(job, "failed").exit_code == 3
    assert lab.until(waits, "finished").attempt == 1


@pytest.mark.root
def test_a_beat_in_another_folder_does_not_count(lab: Lab, elsewhere: Path) -> None:
    machine = lab.machine("lab01", own_mounts=True)
    job = ticking(lab)
    lab.until(job, "started")
    lab.file("ticks")
    lab.machine("lab02")
    cover(machine, elsewhere)
    worker = machine.pid("worker")
    os.kill(worker, signal.SIGSTOP)
    lab.until(job, "started", attempt=2)
    wait_for(lambda: ticks(lab, 2), what="the second attempt to run")
    uncover(machine)
    os.kill(worker, signal.SIGCONT)
    machine.until_beats(5)
    lab.open("end2")
    assert lab.until(job, "finished", attempt=2).machine == "lab02"
    assert max(ticks(lab, 1)) < min(ticks(lab, 2))
