"""One private Redis server for the whole test session, started the way users start theirs."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis
from server_programs import only

from mlq.server import control as server
from mlq.settings.load import load
from mlq.settings.settings import Settings
from mlq.store.connection import open_redis

ADMIN = "admin"
ADMIN_PASSWORD = "for tests only"


def installation(folder: Path, **variables: str) -> dict[str, str]:
    """Return the environment of an installation of its own, all of it below the folder."""
    return {
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_DATA_HOME": str(folder / "data"),
        "XDG_RUNTIME_DIR": str(folder / "run"),
        "MLQ_ROOT": str(folder / "root"),
        "MLQ_SNAPSHOT": "false",
        **variables,
    }


@dataclass(frozen=True)
class RedisServer:
    """A running server: `settings` reach it as the queue's user, `admin` may do anything."""

    settings: Settings
    admin: redis.Redis

    def client(self) -> redis.Redis:
        """Return a new client with the rights of the queue's user."""
        return open_redis(self.settings)


@contextmanager
def private_server(program: Path | None = None, **variables: str) -> Iterator[RedisServer]:
    """Start a server in a short temporary folder (socket paths are limited) and stop it after.

    Args:
        program: the program to use; None: the one that a user would get.
        variables: settings of its own, as environment variables.
    """
    folder = Path(tempfile.mkdtemp(prefix="mlq-test-"))
    try:
        environ = installation(folder, MLQ_REDIS_FSYNC="everysec", **variables)
        settings = load(environ).settings._replace(machine="test")
        digest = hashlib.sha256(ADMIN_PASSWORD.encode()).hexdigest()
        with only(program):
            server.start(settings, extra_users=[f"user {ADMIN} reset on #{digest} ~* &* +@all"])
        try:
            admin = redis.Redis(
                unix_socket_path=str(settings.redis_socket),
                username=ADMIN,
                password=ADMIN_PASSWORD,
            )
            with admin:
                yield RedisServer(settings, admin)
        finally:
            server.stop(settings)
    finally:
        shutil.rmtree(folder)
