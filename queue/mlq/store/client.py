"""What the store needs of a Redis client, and the errors that every client reports alike.

There are two clients: `mlq.store.wire.UnixClient` for short commands, and
`mlq.store.connection.RedisClient` for longer-lived processes. The store does not know which one it
has.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from mlq.errors import QueueRefusedError, QueueSilentError, QueueUnreachableError


class ScriptMissingError(QueueRefusedError):
    """The server does not know a script yet; the store sends the script and tries again."""


class QueueBusyError(QueueUnreachableError):
    """The server is running one long script and answers no other client until the script ends."""


def busy() -> QueueBusyError:
    """Return the error for a server that answers `BUSY`."""
    return QueueBusyError(
        "the queue is busy with one long operation",
        why="its server does one thing at a time",
        fix="ask again in a few seconds",
    )


class Client(Protocol):
    """Sends commands and returns replies as redis-py and hiredis give them (bytes, int, list).

    Raises:
        QueueUnreachableError: the server does not answer.
        QueueRefusedError: the server answered with an error.
    """

    def call(self, *command: str | bytes | int | float) -> Any:
        """Send one command."""

    def call_many(self, commands: Sequence[Sequence[str | bytes | int | float]]) -> list[Any]:
        """Send several commands in one round trip; raise the first refusal after all replies."""

    def close(self) -> None:
        """Close the connection."""


def unreachable(path: Path, error: Exception) -> QueueUnreachableError:
    """Return an error that says in plain words why the queue at this socket does not answer."""
    if isinstance(error, FileNotFoundError | ConnectionRefusedError):
        return QueueUnreachableError(
            f"no queue answers at {path}",
            why="the queue's server is not running",
            fix="start it with: mlq server start",
        )
    if isinstance(error, PermissionError):
        return QueueUnreachableError(
            f"the queue's socket {path} is closed to this user",
            why=str(error),
            fix="see `mlq config` for where redis_socket is set",
        )
    kind = QueueSilentError if isinstance(error, TimeoutError) else QueueUnreachableError
    return kind(
        f"the queue at {path} does not answer",
        why=str(error) or type(error).__name__,
        fix="look at it with: mlq server status",
    )


def password_refused(path: Path, said: str) -> QueueRefusedError:
    """Return the error for a server that refuses the password; `said` is its message."""
    return QueueRefusedError(
        f"the queue at {path} refused the password",
        why=said,
        fix="is password_file the queue's own? See `mlq config`",
    )
