"""Who may do what at the queue's server: nothing at all without the password."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path

import pytest
import redis
from installing import Install
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError
from redis.retry import Retry
from redis_server import RedisServer
from rq import Queue, SimpleWorker
from rq.job import Job
from waiting import wait_for

from mlq.jobs.signing import load_key
from mlq.server import control as server
from mlq.server.status import status
from mlq.store.connection import open_redis


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_everything_it_makes_is_private(install: Install) -> None:
    settings = install()
    before = os.umask(0o002)
    try:
        server.start(settings)
    finally:
        os.umask(before)
    with open_redis(settings) as client:
        client.set("mlq:x", 1)
    for folder in (settings.server_dir, settings.redis_socket.parent):
        assert mode(folder) == 0o700
    secrets = (settings.password_file, settings.key_file, settings.redis_socket)
    for path in (*secrets, *(one for one in settings.server_dir.rglob("*") if one.is_file())):
        assert mode(path) & 0o077 == 0, path
    password = settings.password_file.read_text().strip()
    assert len(password) == 64
    for path in (settings.server_dir / "users.acl", settings.server_dir / "redis.conf"):
        assert password not in path.read_text()
    assert load_key(settings.key_file)
    command_line = Path(f"/proc/{status(settings).pid}/cmdline").read_bytes()
    assert password.encode() not in command_line


def test_it_listens_on_no_tcp_port(install: Install) -> None:
    settings = install()
    server.start(settings)
    pid = status(settings).pid
    links = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile: a connection that has ended
            links.append(str(entry.readlink()))
    inodes = {link[8:-1] for link in links if link.startswith("socket:")}
    for table in ("tcp", "tcp6"):
        lines = Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
        assert not inodes & {line.split()[9] for line in lines}


def test_only_the_password_opens_it(install: Install) -> None:
    settings = install()
    server.start(settings)
    for user, password in (None, None), ("mlq", "guess"), ("default", ""), ("default", "guess"):
        with (
            redis.Redis(
                unix_socket_path=str(settings.redis_socket),
                username=user,
                password=password,
                retry=Retry(NoBackoff(), 0),
            ) as stranger,
            pytest.raises(AuthenticationError),
        ):
            stranger.ping()


def test_over_tcp_it_is_as_closed(install: Install) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = install()._replace(redis_tcp=True, redis_port=port)
    server.start(settings)
    server.stop(settings)
    server.start(settings)
    for user, password in (None, None), ("default", ""), ("default", "guess"), ("mlq", "guess"):
        with (
            redis.Redis(
                port=port, username=user, password=password, retry=Retry(NoBackoff(), 0)
            ) as stranger,
            pytest.raises(AuthenticationError),
        ):
            stranger.ping()
    password = settings.password_file.read_text().strip()
    with redis.Redis(port=port, username="mlq", password=password) as known:
        assert known.ping()


@pytest.mark.parametrize(
    "command",
    [
        ("FLUSHALL",),
        ("KEYS", "*"),
        ("CONFIG", "GET", "*"),
        ("SET", "other", "1"),
        ("GET", "other"),
        ("ACL", "LIST"),
        ("SHUTDOWN",),
        ("MONITOR",),
        ("PUBLISH", "other", "x"),
        ("CLIENT", "KILL", "ID", "1"),
        ("SCRIPT", "FLUSH"),
        ("FUNCTION", "FLUSH"),
        ("EVAL", "return redis.call('set', 'other', 1)", "0"),
    ],
)
def test_the_user_of_the_queue_cannot_leave_it(
    redis_client: redis.Redis, command: tuple[str, ...]
) -> None:
    refused = r"permission|unknown command|can't access"
    with pytest.raises((NoPermissionError, ResponseError), match=refused):
        redis_client.execute_command(*command)


def test_the_user_of_the_queue_can_do_all_that_rq_does(redis_client: redis.Redis) -> None:
    queue = Queue("p0", connection=redis_client, serializer="json")
    job = queue.enqueue("operator.add", 1, 2)
    SimpleWorker([queue], connection=redis_client, serializer="json").work(
        burst=True, logging_level="CRITICAL"
    )
    assert Job.fetch(job.id, connection=redis_client, serializer="json").return_value() == 3
    assert redis_client.info()["aof_enabled"] == 1
    assert len(redis_client.client_list()) >= 1
    with redis_client.pubsub() as listener:
        listener.subscribe("mlq:wake", "rq:pubsub:x")
        wait_for(lambda: redis_client.publish("mlq:wake", "work") == 1, what="the subscription")
    with redis_client.lock("rq:lock", timeout=5):
        assert redis_client.exists("rq:lock")


def test_the_admin_of_the_tests_empties_it(redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        client.set("mlq:x", 1)
        redis_server.admin.flushall()
        assert client.dbsize() == 0
