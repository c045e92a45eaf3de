"""Starting, stopping and watching a worker: real processes, real signals, a stand-in daemon."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from installation import private_settings
from waiting import wait_for

from mlq.errors import WorkerError
from mlq.files.paths import machine_dir
from mlq.settings.settings import Settings
from mlq_worker.agent.options import WorkerOptions
from mlq_worker.service import control
from mlq_worker.service import start as background
from mlq_worker.service.lock import held, holder
from mlq_worker.service.status import status as status_of

DAEMON = Path(__file__).parents[2] / "support" / "standins" / "worker_daemon.py"
OPTIONS = WorkerOptions(cores=2, mem_mib=512, gpus="none")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    # Neither the crontab nor the systemd of whoever runs the tests has a say here.
    monkeypatch.setenv("PATH", str(tmp_path / "no-tools"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    yield private_settings(tmp_path)
    with holder(folder_of(private_settings(tmp_path))) as worker:
        if worker:
            worker.signal(signal.SIGKILL)
            worker.wait(10)


def folder_of(settings: Settings) -> Path:
    return machine_dir(settings.runtime_dir, settings.machine)


def start(settings: Settings, behaviour: str = "good", deadline_s: float = 20) -> str:
    program = (sys.executable, str(DAEMON), behaviour, str(folder_of(settings)))
    return background.start(settings, OPTIONS, program=program, deadline_s=deadline_s)


def test_start_returns_once_the_worker_is_ready_and_says_what_runs(settings: Settings) -> None:
    said = start(settings)
    status = status_of(settings)
    assert status.running
    assert said == f"worker for lab01 runs (process {status.pid}): 4 cores, 8G, no GPU"
    assert status.doing == "4 cores, 8G, no GPU"


def test_the_worker_gets_the_options_and_a_session_of_its_own(settings: Settings) -> None:
    start(settings)
    assert WorkerOptions.from_json((folder_of(settings) / "options").read_text()) == OPTIONS
    session, pid = (folder_of(settings) / "session").read_text().split()
    assert session == pid


def test_starting_twice_leaves_one_worker(settings: Settings) -> None:
    start(settings)
    pid = status_of(settings).pid
    assert "already runs" in start(settings)
    assert status_of(settings).pid == pid


def test_a_worker_that_refuses_to_start_is_quoted(settings: Settings) -> None:
    (folder_of(settings) / "worker.log").write_text("a word from the last run\n")
    with pytest.raises(WorkerError) as error:
        start(settings, "refuses")
    assert error.value.why == "the queue does not answer; is it started?"
    assert "worker.log" in error.value.fix


def test_a_worker_that_dies_without_a_word_is_told_by_its_end(settings: Settings) -> None:
    (folder_of(settings) / "worker.log").write_text("a word from the last run\n")
    with pytest.raises(WorkerError) as error:
        start(settings, "mute")
    assert error.value.why == "killed by SIGKILL"


def test_a_worker_that_is_late_is_left_trying(settings: Settings) -> None:
    with pytest.raises(WorkerError, match=r"not ready after 1 s: waiting for NFS") as error:
        start(settings, "slow", deadline_s=1)
    pid = int(error.value.fix.partition("process ")[2].partition(")")[0])
    os.kill(pid, signal.SIGTERM)
    os.waitpid(pid, 0)


def test_nothing_of_a_start_is_left_in_the_folder(settings: Settings) -> None:
    start(settings)
    names = {path.name for path in folder_of(settings).iterdir()}
    assert not [name for name in names if name.startswith("start.")]


@pytest.mark.parametrize(("how", "heard"), [("keep", "SIGTERM"), ("now", "SIGUSR2")])
def test_stop_tells_the_worker_how_and_waits(
    settings: Settings, how: control.How, heard: str
) -> None:
    start(settings)
    said: list[str] = []
    control.stop(settings, how, said.append)
    assert (folder_of(settings) / "heard").read_text() == heard
    assert not status_of(settings).running
    assert "stopped" in said[-1]


def test_drain_shows_progress_and_lasts_until_the_jobs_have_ended(settings: Settings) -> None:
    jobs_end = folder_of(settings) / "jobs_end"
    os.mkfifo(jobs_end)
    start(settings)
    said: list[str] = []
    thread = threading.Thread(target=control.stop, args=(settings, "drain", said.append))
    thread.start()
    wait_for(lambda: "draining: 2 jobs run" in said, what="progress of the drain")
    assert status_of(settings).running
    jobs_end.write_text("")
    thread.join(20)
    assert not status_of(settings).running
    assert said[-1] == "the worker for lab01 has finished its jobs and stopped"


def test_stopping_no_worker_is_no_error(settings: Settings) -> None:
    said: list[str] = []
    control.stop(settings, "keep", said.append)
    assert said == ["no worker runs for lab01"]


def test_jobs_without_a_worker_cannot_be_handed_back(settings: Settings) -> None:
    folder = folder_of(settings)
    with (folder / "supervisor.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(WorkerError, match="its supervisor does"):
            control.stop(settings, "now", print)
        assert status_of(settings).supervised


def test_a_worker_that_does_not_end_is_named(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "_EXIT_DEADLINE_S", 0.5)
    start(settings)
    pid = status_of(settings).pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(WorkerError, match=f"kill -9 {pid}"):
        control.stop(settings, "keep", print)


def test_jobs_with_a_long_grace_are_waited_for(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "_EXIT_DEADLINE_S", 0.5)
    quick = settings._replace(stop_grace_s=0)
    start(settings)
    pid = status_of(settings).pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    says = iter(["handing back; 2 jobs held"] * 4)
    monkeypatch.setattr(control, "doing", lambda _folder: next(says, "handing back; 0 jobs held"))
    said: list[str] = []
    with pytest.raises(WorkerError, match="has not ended after"):
        control.stop(quick, "now", said.append)
    assert [line for line in said if "--grace" in line]


def test_a_pid_file_left_by_a_crash_names_nobody(settings: Settings) -> None:
    start(settings)
    with holder(folder_of(settings)) as worker:
        assert worker
        worker.signal(signal.SIGKILL)
        assert worker.wait(10)
    assert (folder_of(settings) / "worker.pid").exists()
    assert not status_of(settings).running
    # The number may belong to somebody else by now: here, to us.
    (folder_of(settings) / "worker.pid").write_text(f"{os.getpid()}\n")
    control.stop(settings, "keep", lambda _: None)
    start(settings)


def test_two_machines_have_a_worker_each(settings: Settings, tmp_path: Path) -> None:
    other = private_settings(tmp_path, "lab02")
    start(settings)
    start(other)
    control.stop(settings, "keep", lambda _: None)
    assert status_of(other).running
    control.stop(other, "keep", lambda _: None)


def test_looking_at_a_worker_never_keeps_one_from_starting(settings: Settings) -> None:
    folder = folder_of(settings)
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            status_of(settings)

    looker = threading.Thread(target=look)
    looker.start()
    try:
        for _ in range(50):
            with held(folder, "lab01"):
                pass
    finally:
        stop.set()
        looker.join()


@pytest.fixture
def real_program(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """Starts the program that `mlq worker start` starts, in this private installation."""
    for name in ("root", "runtime_dir", "password_file", "key_file"):
        monkeypatch.setenv(f"MLQ_{name.upper()}", str(getattr(settings, name)))
    return lambda: background.start(settings, OPTIONS)


def test_without_a_queue_the_real_worker_says_so(real_program: Callable[[], str]) -> None:
    with pytest.raises(WorkerError, match=r"did not start: .*redis.password"):
        real_program()


def test_the_real_worker_names_a_wrong_setting(
    real_program: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLQ_BEAT_S", "soon")
    with pytest.raises(WorkerError, match="MLQ_BEAT_S"):
        real_program()
