"""A cleaner deletes the lock, the pid file and the socket of a server that lives."""

from __future__ import annotations

import fcntl
import os

import pytest
from installing import Install
from local_lab import PATIENT, new_lab
from waiting import wait_for

from mlq.errors import QueueUnreachableError
from mlq.server import control as server
from mlq.server.status import status
from mlq.settings.load import load
from mlq.settings.settings import Settings
from mlq.store.connection import open_redis
from mlq_cli.doctor import judge, look_queue
from mlq_cli.invocation.session import open_store
from mlq_worker.service.server_watch import ServerWatch


def put(settings: Settings, value: str) -> None:
    with open_redis(settings) as client:
        client.set("mlq:test", value)


def got(settings: Settings) -> bytes | None:
    with open_redis(settings) as client:
        found: bytes | None = client.get("mlq:test")
        return found


def test_without_its_lock_file_no_second_server_writes_into_its_data(install: Install) -> None:
    settings = install()
    server.start(settings)
    put(settings, "1")
    pid = status(settings).pid
    for name in ("server.lock", "redis.pid"):
        (settings.server_dir / name).unlink()
    assert not server.start(settings)
    assert (status(settings).running, status(settings).pid) == (True, pid)
    assert server.stop(settings)
    assert not status(settings).running
    assert server.start(settings)
    assert got(settings) == b"1"
    server.stop(settings)


def test_a_lost_socket_is_made_anew_by_the_next_start(install: Install) -> None:
    settings = install()
    server.start(settings)
    put(settings, "1")
    pid = status(settings).pid
    for path in (settings.redis_socket, settings.server_dir / "server.lock"):
        path.unlink()
    said: list[str] = []
    assert server.start(settings, say=said.append)
    assert "was removed" in said[0]
    assert got(settings) == b"1"
    wait_for(lambda: status(settings).pid not in (None, pid), what="another process")
    server.stop(settings)


def test_commands_name_a_lost_socket_and_how_to_mend_it(install: Install) -> None:
    settings = install()
    server.start(settings)
    pid = status(settings).pid
    settings.redis_socket.unlink()
    with pytest.raises(QueueUnreachableError) as caught:
        open_store(settings).client.call("PING")
    (check, *_) = judge.queue(look_queue.queue(settings))
    for said in (str(caught.value), status(settings).note, f"{check.says} {check.remedy}"):
        assert f"runs (process {pid}), but its socket was removed" in said
        assert "`mlq server start` starts it again in order; nothing is lost" in said
    server.stop(settings)


def test_the_server_keeps_the_folder_of_its_socket_from_cleaners(install: Install) -> None:
    settings = install()
    server.start(settings)
    folder = os.open(settings.redis_socket.parent, os.O_RDONLY)
    with pytest.raises(BlockingIOError):
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)  # as systemd-tmpfiles does
    server.stop(settings)
    fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(folder)


def test_a_worker_of_the_same_host_has_a_lost_socket_made_anew() -> None:
    with new_lab(**PATIENT) as lab:
        machine = lab.machine("m1")
        job = lab.sh("until [ -e end ]; do sleep 0.05; done")
        lab.until(job, "started")
        settings = load(lab.environ).settings
        pid = status(settings).pid
        settings.redis_socket.unlink()
        wait_for(lambda: status(settings).pid not in (None, pid), what="another process")
        wait_for(lambda: not status(settings).note, what="it to answer")
        lab._queue = None
        lab.open("end")
        assert lab.until(job, "finished").attempt == 1
        assert "was removed" in (machine.runtime / "worker.log").read_text()
        # One that its user stops is left alone, also while its socket is gone and it still ends.
        server.stop(settings)
        watch = ServerWatch(settings, lambda: pytest.fail("nothing is to be mended"))
        for second in range(10):
            watch.look(float(second))
        assert not status(settings).running
