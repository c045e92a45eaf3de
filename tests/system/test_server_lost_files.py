"""A cleaner deletes the lock, the pid file and the socket of a server that lives."""

from __future__ import annotations

from installing import Install
from waiting import wait_for

from mlq.server import control as server
from mlq.server.status import status
from mlq.settings import Settings
from mlq.store.connection import open_redis


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
