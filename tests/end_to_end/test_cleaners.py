"""Cleaners of /tmp delete locks, pid files and sockets under the processes that live there."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from ci import require
from local_lab import Lab, Machine, alive
from people import strangers
from waiting import wait_for

from mlq.files.kernel_names import kernel_name
from mlq.files.locks import is_locked

WAITS = "echo $$ >pid; until [ -e end ]; do sleep 0.05; done"
LOST_AND_REMADE = ("worker.lock", "worker.pid", "worker.status", "supervisor.lock")


def find_and_delete(folder: Path, *what: str) -> None:
    """Respect nothing."""
    subprocess.run(["find", folder, "-mindepth", "1", *what, "-delete"], check=True)


def files(machine: Machine) -> None:
    find_and_delete(machine.runtime, "-type", "f")


def files_and_sockets(machine: Machine) -> None:
    find_and_delete(machine.runtime)


def all_folders(machine: Machine) -> None:
    shutil.rmtree(machine.runtime.parent)


def by_systemd(machine: Machine) -> None:
    """Let systemd-tmpfiles delete what is older than a moment."""
    tool = shutil.which("systemd-tmpfiles") or ""
    require(bool(tool), "systemd-tmpfiles")
    folder = machine.lab.folder
    abandoned = folder / "run" / "nobody" / "lives-here"
    abandoned.parent.mkdir()
    abandoned.touch()
    before = {path: path.lstat().st_ino for path in machine.runtime.iterdir()}
    config = folder / "clean.conf"
    config.write_text(f"e {folder}/run 0700 - - 1us\n")

    def cleaned() -> bool:
        subprocess.run([tool, "--clean", config], check=True)
        return not abandoned.exists()

    wait_for(cleaned, what="the cleaner to find something old")
    assert {path: path.lstat().st_ino for path in machine.runtime.iterdir()} == before


CLEANERS: list[Callable[[Machine], None]] = [files, files_and_sockets, all_folders, by_systemd]


@pytest.mark.parametrize("clean", CLEANERS, ids=lambda clean: clean.__name__)
def test_a_cleaner_takes_neither_jobs_nor_names(lab: Lab, clean: Callable[[Machine], None]) -> None:
    machine = lab.machine("m1")
    job = lab.sh(WAITS)
    lab.pid("pid")
    pids = {role: machine.pid(role) for role in ("worker", "supervisor")}
    clean(machine)
    said = machine.try_start()  # at once, before anything can be made anew
    assert f"already runs (process {pids['worker']})" in said.out, said
    lost = [machine.runtime / name for name in (*LOST_AND_REMADE, "supervisor.sock")]
    wait_for(lambda: all(path.exists() for path in lost), what="what was lost to be made anew")
    wait_for(lambda: is_locked(machine.runtime / "supervisor.lock"), what="the lock to be held")
    assert {role: machine.pid(role) for role in pids} == pids
    # The worker goes, another comes and finds the same supervisor and job.
    assert "has stopped" in machine.stop()
    machine.start()
    assert machine.pid("supervisor") == pids["supervisor"]
    lab.open("end")
    assert lab.until(job, "finished").attempt == 1


def test_a_worker_that_starts_at_once_finds_the_supervisor(lab: Lab) -> None:
    machine = lab.machine("m1")
    job = lab.sh(WAITS)
    lab.pid("pid")
    supervisor = machine.pid("supervisor")
    machine.kill("worker")
    files_and_sockets(machine)
    machine.start()
    wait_for((machine.runtime / "supervisor.pid").exists, what="its number to be told anew")
    assert machine.pid("supervisor") == supervisor
    lab.open("end")
    assert lab.until(job, "finished").attempt == 1


def test_another_runtime_folder_is_no_other_machine(lab: Lab) -> None:
    """A worker with a runtime folder of its own adopts what the dead one's supervisor holds."""
    machine = lab.machine("m1")
    job = lab.sh(WAITS)
    lab.pid("pid")
    supervisor = machine.pid("supervisor")
    machine.kill("worker")
    elsewhere = {"MLQ_RUNTIME_DIR": str(lab.folder / "r2")}
    elsewhere["MLQ_REDIS_SOCKET"] = str(lab.folder / "run" / "mlq" / "redis.sock")
    other = Machine(lab, "m1", ("--cores", "2", "--gpus", "none"), environ=elsewhere)
    other.runtime = lab.folder / "r2" / "m" / "m1"
    other.start()
    assert alive(supervisor)
    assert not (other.runtime / "supervisor.pid").exists()
    lab.open("end")
    assert lab.until(job, "finished").attempt == 1


def test_a_supervisor_that_no_name_shows_is_found_among_the_processes(lab: Lab) -> None:
    """In a network of its own the kernel's names are not seen, nor the lock of another folder."""
    machine = lab.machine("m1")
    job = lab.sh(WAITS)
    lab.pid("pid")
    supervisor = machine.pid("supervisor")
    command = Path(f"/proc/{supervisor}/cmdline").read_bytes().decode().split("\0")[1:-1]
    elsewhere = lab.folder / "r2"
    elsewhere.mkdir(mode=0o700)
    argv = [f"--runtime={elsewhere}" if "--runtime=" in one else one for one in command]
    second = subprocess.run(
        ["unshare", "--net", sys.executable, *argv], capture_output=True, text=True, check=False
    )
    assert second.returncode == 75, second
    assert f"process {supervisor}" in second.stderr
    lab.open("end")
    assert lab.until(job, "finished").attempt == 1


def test_a_name_that_a_stranger_took_keeps_nobody_out(lab: Lab) -> None:
    """Any user of the machine can take any name: then the lock file decides alone."""
    machine = Machine(lab, "m1", ("--cores", "2", "--gpus", "none"))
    name = kernel_name("worker", str(machine.runtime))
    squat = (
        "import socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(chr(0) + sys.argv[1]); "
        "s.listen(); print('taken', flush=True); sys.stdin.read()"
    )
    stranger = strangers()[1]
    with subprocess.Popen(
        ["/usr/bin/python3", "-I", "-c", squat, name],
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        **stranger.identity,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"taken\n"
        machine.start()
        assert "already runs" in machine.try_start().out
        assert "has stopped" in machine.stop()
        process.kill()
