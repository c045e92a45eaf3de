"""A connection to the queue for commands that must feel instant.

`import redis` takes 130 ms, `hiredis` (the C parser that redis-py itself uses) one. So the short
commands use this module: one unix socket, commands packed and replies parsed by hiredis, no
resending. The worker and the Python API use redis-py (see `connection`), which survives a broken
connection; here a broken connection is an error message.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import hiredis

from mlq.errors import QueueRefusedError
from mlq.files.paths import check_socket_folder
from mlq.lenient import text_of
from mlq.store.client import ScriptMissingError, busy, password_refused, unreachable

_TIMEOUT_S = 20.0  # seconds; a server may wait that long for its disk
SLOW_S = 2.0


class UnixClient:
    """A `mlq.store.client.Client` over one unix socket.

    Args:
        path: the server's socket.
        user: the ACL user.
        password: its password.
        timeout_s: how long to wait for each reply.
        slow: called once, when a reply has taken `SLOW_S`.

    Raises:
        QueueUnreachableError: no process listens there.
        UnsafeSocketError: another user could answer there.

    Every call may raise `QueueUnreachableError`, the first also `QueueRefusedError` for a wrong
    password.
    """

    def __init__(
        self,
        path: Path,
        user: str,
        password: str,
        *,
        timeout_s: float = _TIMEOUT_S,
        slow: Callable[[], None] | None = None,
    ) -> None:
        check_socket_folder(path)
        self._path, self._timeout_s, self._slow = path, timeout_s, slow
        self._reader = hiredis.Reader()
        self._greeting = _packed(("AUTH", user, password))
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout_s)
        try:
            self.socket.connect(str(path))
        except OSError as error:
            self.socket.close()
            raise unreachable(path, error) from None

    def call(self, *command: str | bytes | int | float) -> Any:
        """Send one command and return its reply."""
        return self.call_many([command])[0]

    def call_many(self, commands: Sequence[Sequence[str | bytes | int | float]]) -> list[Any]:
        """Send commands in one go and return their replies; raise the first refusal.

        The password goes with the first commands: through a tunnel, a separate round trip would
        take as long as the query itself.
        """
        greeting, self._greeting = self._greeting, b""
        packed = greeting + b"".join(_packed(command) for command in commands)
        try:
            self.socket.sendall(packed)
            replies = [self._reply() for _ in range(len(commands) + bool(greeting))]
        except OSError as error:
            self.socket.close()
            raise unreachable(self._path, error) from None
        for reply in replies:
            if isinstance(reply, hiredis.ReplyError):
                text = str(reply)
                if text.startswith("NOSCRIPT"):
                    raise ScriptMissingError(text)
                if text.startswith("LOADING"):  # the server was started just now
                    raise unreachable(self._path, ConnectionError("it still loads its data"))
                if text.startswith("BUSY "):
                    raise busy()
                if text.startswith("WRONGPASS"):
                    raise password_refused(self._path, text)
                raise QueueRefusedError("the queue refused a command", why=text)
        return replies[1:] if greeting else replies

    def arrived(self) -> list[Any]:
        """Return what the server has sent unasked so far, without waiting for more."""
        try:
            while True:
                received = self.socket.recv(65536)
                if not received:
                    raise ConnectionResetError("the server closed the connection")
                self._reader.feed(received)
        except BlockingIOError:
            pass
        except OSError as error:
            raise unreachable(self._path, error) from None
        replies = []
        while (reply := self._reader.gets()) is not False:
            replies.append(reply)
        return replies

    def close(self) -> None:
        """Close the connection."""
        self.socket.close()

    def _reply(self) -> Any:
        while (reply := self._reader.gets()) is False:
            received = self._received()
            if not received:
                raise ConnectionResetError("the server closed the connection")
            self._reader.feed(received)
        return reply

    def _received(self) -> bytes:
        if self._slow is not None:
            self.socket.settimeout(SLOW_S)
            try:
                return self.socket.recv(65536)
            except TimeoutError:
                slow, self._slow = self._slow, None
                slow()
            finally:
                self.socket.settimeout(self._timeout_s)
        return self.socket.recv(65536)


def _packed(command: Sequence[str | bytes | int | float]) -> bytes:
    parts: tuple[Any, ...] = tuple(command)
    packed: bytes = hiredis.pack_command(parts)
    return packed


class Subscription:
    """A connection that only listens on one channel.

    Args:
        wire: a fresh connection; it belongs to the subscription from now on.
        channel: what to listen to.
    """

    def __init__(self, wire: UnixClient, channel: str) -> None:
        self._wire = wire
        wire.call("SUBSCRIBE", channel)
        wire.socket.setblocking(False)

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._wire.socket.fileno()

    def messages(self) -> list[str]:
        """Return the messages that have arrived; raise QueueUnreachableError if it is broken."""
        return [
            text_of(reply[2])
            for reply in self._wire.arrived()
            if isinstance(reply, list) and reply[0] == b"message"
        ]

    def close(self) -> None:
        """Close the connection."""
        self._wire.close()
