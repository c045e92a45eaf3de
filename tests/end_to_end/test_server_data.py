"""The queue's data: opened whole, by a program that reads them, or left alone."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import pytest
from installing import Install
from server_programs import names, only, program
from waiting import wait_for

from mlq.api.queue import Queue
from mlq.copies.copy_format import Header, header_lines, packed
from mlq.copies.keeper import write_copy
from mlq.errors import LostDataError, ServerError
from mlq.files.layout import Layout
from mlq.server import control as server
from mlq.server.files import ServerFiles
from mlq.server.status import status
from mlq.settings.settings import Settings
from mlq.store.connection import open_client, open_redis
from mlq.store.store import Store


def enqueue(settings: Settings, jobs: int) -> None:
    store = Store(open_client(settings))
    try:
        Queue(store, settings).enqueue_many([["true"]] * jobs)
    finally:
        store.client.close()


def listed(settings: Settings) -> list[str]:
    with open_redis(settings) as client:
        return [one.decode() for one in client.zrange("mlq:jobs", 0, -1)]


def kill(settings: Settings) -> None:
    pid = status(settings).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not status(settings).running, what="the server to be gone")


def the_log(settings: Settings) -> Path:
    (log,) = (one for one in settings.server_dir.rglob("*.aof") if ".base." not in one.name)
    return log


def held(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*.aof*") if path.is_file()}


@pytest.mark.parametrize("orderly", [False, True], ids=["killed", "stopped"])
def test_jobs_outlive_the_server(install: Install, orderly: bool) -> None:
    settings = install()
    server.start(settings)
    for round_ in range(1, 4):
        enqueue(settings, 5)
        (server.stop if orderly else kill)(settings)
        said: list[str] = []
        server.start(settings, say=said.append)
        assert listed(settings) == [str(number) for number in range(1, 5 * round_ + 1)]
        assert said == []
        assert status(settings).aof == "ok"


@pytest.mark.parametrize("orderly", [False, True], ids=["killed", "stopped"])
def test_a_log_cut_in_half_is_no_queue(install: Install, orderly: bool) -> None:
    settings = install()
    server.start(settings)
    for _ in range(6):
        enqueue(settings, 5)
    (server.stop if orderly else kill)(settings)
    log = the_log(settings)
    whole = log.read_bytes()
    log.write_bytes(whole[: len(whole) // 2])
    found = held(settings.server_dir)
    for _ in range(2):
        with pytest.raises(LostDataError, match=r"acknowledged jobs are missing(.|\n)*restore"):
            server.start(settings)
        assert held(settings.server_dir) == found
        assert not status(settings).running
    log.write_bytes(whole)
    server.start(settings)
    assert len(listed(settings)) == 30


def test_a_log_cut_between_two_commands_is_no_queue_either(install: Install) -> None:
    settings = install()
    server.start(settings)
    enqueue(settings, 5)
    whole = the_log(settings).stat().st_size
    enqueue(settings, 5)
    kill(settings)
    os.truncate(the_log(settings), whole)
    with pytest.raises(LostDataError, match=r"end with job 5(.|\n)*5 acknowledged jobs"):
        server.start(settings)
    server.start(settings, accept_loss=True)
    assert len(listed(settings)) == 5
    kill(settings)
    assert server.start(settings), "what was accepted once is not held against it again"


def test_data_that_are_gone_are_no_new_queue(install: Install, tmp_path: Path) -> None:
    settings = install()
    server.start(settings)
    enqueue(settings, 5)
    kill(settings)
    inner = settings.server_dir / "appendonlydir"
    if inner.exists():
        manifest = inner / "appendonly.aof.manifest"
        kept = manifest.read_bytes()
        manifest.unlink()
        with pytest.raises(LostDataError, match="manifest is missing"):
            server.start(settings)
        manifest.write_bytes(kept)
    for path in settings.server_dir.glob("appendonly*"):
        shutil.move(path, tmp_path / path.name)
    with pytest.raises(LostDataError, match="5 acknowledged jobs are missing"):
        server.start(settings)
    shutil.rmtree(settings.server_dir)
    with pytest.raises(LostDataError, match="data are not in"):
        server.start(settings)
    assert server.start(settings, afresh=True)
    assert listed(settings) == []


def test_another_data_folder_is_not_taken_for_a_new_queue(install: Install) -> None:
    settings = install()
    server.start(settings)
    enqueue(settings, 1)
    server.stop(settings)
    other = settings._replace(server_dir=settings.server_dir.with_name("other"))
    with pytest.raises(LostDataError) as caught:
        server.start(other)
    assert str(settings.server_dir) in caught.value.why
    assert not list(other.server_dir.glob("appendonly*"))


def test_a_root_that_has_a_queue_tells_of_it(install: Install) -> None:
    settings = install()
    settings.root.mkdir(mode=0o700)
    (settings.root / "queue.json").write_text('{"queue": "q7", "format": 1}')
    with pytest.raises(LostDataError, match="queue q7"):
        server.start(settings)


def test_fewer_jobs_than_were_acknowledged_are_not_called_ok(install: Install) -> None:
    settings = install()
    server.start(settings)
    enqueue(settings, 3)
    with open_redis(settings) as client:
        client.set("mlq:last_number", 1)
    assert "2 acknowledged jobs are missing" in status(settings).aof


@pytest.mark.one_server
def test_data_stay_with_the_program_that_wrote_them(install: Install) -> None:
    new, old = program(names()[0]), program(names()[-1])
    settings = install()
    with only(old):
        server.start(settings)
        enqueue(settings, 2)
        version = status(settings).version
        server.stop(settings)
    with only(new):
        server.start(settings)
        assert status(settings).version != version
        enqueue(settings, 2)
        version = status(settings).version
        kill(settings)
    note = json.loads(ServerFiles(settings.server_dir).writer.read_text())
    assert f"{note['kind']} {note['version']}" == version
    # Found first, but older than the data; the other is still there, in the environment.
    with only(old):
        server.start(settings)
        assert status(settings).version == version
        assert listed(settings) == ["1", "2", "3", "4"]
        kill(settings)


@pytest.mark.one_server
def test_the_program_that_wrote_the_data_need_not_be_in_the_path(
    install: Install, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = tmp_path / "valkey-server"
    own.symlink_to(program(names()[0]))
    settings = install()
    with only(program(names()[-1])):
        with monkeypatch.context() as patched:
            patched.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
            server.start(settings)
            enqueue(settings, 2)
            server.stop(settings)
        monkeypatch.setattr("mlq.server.programs._wheel_folder", lambda: None)
        monkeypatch.setenv("PATH", os.environ["PATH"].split(":")[0])
        server.start(settings)
        assert status(settings).binary == str(own)
        assert listed(settings) == ["1", "2"]


@pytest.mark.one_server
def test_data_of_a_newer_program_are_not_opened_by_an_older(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = install()
    with only(program(names()[0])):
        server.start(settings)
        enqueue(settings, 2)
        version = status(settings).version
        kill(settings)
    found = held(settings.server_dir)
    with only(program(names()[-1])):
        monkeypatch.setenv("PATH", os.environ["PATH"].split(":")[0])
        monkeypatch.setattr("mlq.server.programs._wheel_folder", lambda: None)
        for _ in range(2):
            with pytest.raises(ServerError) as caught:
                server.start(settings)
            assert version in caught.value.why
            assert "Redis 6.2" in caught.value.why
            assert held(settings.server_dir) == found
            # The data tell it too, if nobody noted it beside them.
            ServerFiles(settings.server_dir).writer.unlink(missing_ok=True)


@pytest.mark.parametrize("orderly", [False, True], ids=["killed", "stopped"])
def test_the_copy_on_the_root_tells_of_jobs_that_nobody_here_enqueued(
    install: Install, orderly: bool
) -> None:
    settings = install()
    server.start(settings)
    enqueue(settings, 5)
    with open_redis(settings) as client:
        client.set("mlq:queue_id", "q7")
    (server.stop if orderly else kill)(settings)
    settings.root.mkdir(mode=0o700)
    layout = Layout(settings.root)
    for of_queue, last in ("q8", 9), ("q7", 5):
        write_copy(layout, packed(header_lines(Header(of_queue, last, 0.0, "lab01", 0, 0))))
        server.start(settings)
        (server.stop if orderly else kill)(settings)
    write_copy(layout, packed(header_lines(Header("q7", 9, 0.0, "lab01", 0, 0))))
    with pytest.raises(LostDataError, match=r"unended.jsonl.gz tells of job 9: 4 acknowledged"):
        server.start(settings)
