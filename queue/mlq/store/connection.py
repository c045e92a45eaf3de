"""The long-lived connection to the queue, over redis-py.

redis-py sends a command again when the connection breaks (version 8 up to ten times, writes
included). That is welcome here, because every operation of the store that writes carries a request
id and does nothing the second time. Timeouts are short, so that a cut tunnel is an error within
seconds and never a hang: the worker has other work to do.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import (
    AuthenticationError,
    ConnectionError,  # noqa: A004 - redis-py's own name; not the built-in
    NoScriptError,
    RedisError,
    ResponseError,
    TimeoutError,  # noqa: A004 - likewise
)
from redis.retry import Retry

from mlq.errors import QueueRefusedError
from mlq.files.paths import check_socket_folder, read_password
from mlq.settings.settings import Settings
from mlq.store.client import ScriptMissingError, busy, password_refused, unreachable
from mlq.tunnel import reach

_TIMEOUT_S = 5.0
_RESENDS = 2
# A cut tunnel is up again within seconds; a program that waits for its jobs keeps waiting.
_RESENDS_THROUGH_TUNNEL = 20


class RedisClient:
    """A `mlq.store.client.Client` over a `redis.Redis`.

    Args:
        redis_client: a client whose replies are bytes (no `decode_responses`).
        path: the socket, for messages.
    """

    def __init__(self, redis_client: redis.Redis, path: Path) -> None:
        self.redis = redis_client
        self._send: Any = redis_client.execute_command  # untyped in redis-py
        self._path = path

    def call(self, *command: str | bytes | int | float) -> Any:
        """Send one command and return its reply."""
        return self.call_many([command])[0]

    def call_many(self, commands: Sequence[Sequence[str | bytes | int | float]]) -> list[Any]:
        """Send commands in one go and return their replies; raise the first refusal."""
        try:
            if len(commands) == 1:
                return [self._send(*commands[0])]
            pipeline = self.redis.pipeline(transaction=False)
            queue_up: Any = pipeline.execute_command  # untyped in redis-py
            for command in commands:
                queue_up(*command)
            replies: list[Any] = pipeline.execute(raise_on_error=False)
            for reply in replies:
                if isinstance(reply, RedisError):
                    raise reply
        except RedisError as error:
            raise translated(error, self._path) from None
        return replies

    def close(self) -> None:
        """Close the connection."""
        self.redis.close()


def translated(error: RedisError, path: Path) -> QueueRefusedError | Exception:
    """Turn a redis-py error into one of ours."""
    if isinstance(error, NoScriptError):
        return ScriptMissingError(str(error))
    if isinstance(error, AuthenticationError):
        return password_refused(path, str(error))
    if isinstance(error, ConnectionError | TimeoutError):
        cause = error.__cause__ if isinstance(error.__cause__, OSError) else None
        return unreachable(path, _same_cause(cause or error))
    if isinstance(error, ResponseError) and str(error).startswith("BUSY "):
        return busy()
    if isinstance(error, ResponseError):
        return QueueRefusedError("the queue refused a command", why=str(error))
    return QueueRefusedError("the queue failed a command", why=f"{type(error).__name__}: {error}")


def _same_cause(error: Exception) -> Exception:
    # redis-py keeps the errno only in the text of its own error.
    text = str(error)
    if text.startswith(("Error 2 ", "Error 111 ")):
        return ConnectionRefusedError(text)
    if text.startswith("Error 13 "):
        return PermissionError(text)
    return error


class _PrivateConnection(redis.UnixDomainSocketConnection):
    """Checks the socket's folder each time it connects; see `check_socket_folder`."""

    def _connect(self) -> socket.socket:
        check_socket_folder(Path(self.path))
        connected: socket.socket = super()._connect()  # type: ignore[no-untyped-call]
        return connected


def open_redis(settings: Settings) -> redis.Redis:
    """Return a redis-py client for the queue; nothing is sent yet.

    Raises:
        UnsafePathError: the password file is open to others.
        SecretMissingError: there is no password file, so there never was a queue here.
        TunnelError: the queue's host cannot be reached.

    Each use of the client raises UnsafeSocketError if another user could answer at the socket.
    """
    password = read_password(settings.password_file)
    resends = _RESENDS_THROUGH_TUNNEL if settings.is_remote else _RESENDS
    pool = redis.ConnectionPool(
        _PrivateConnection,
        path=str(reach(settings)),
        username=settings.redis_user,
        password=password,
        socket_timeout=_TIMEOUT_S,
        socket_connect_timeout=_TIMEOUT_S,
        retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), resends),
        health_check_interval=0,
    )
    return redis.Redis.from_pool(pool)


def open_client(settings: Settings) -> RedisClient:
    """Return the long-lived client for the queue of these settings."""
    client = open_redis(settings)
    return RedisClient(client, Path(client.connection_pool.connection_kwargs["path"]))
