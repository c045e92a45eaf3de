"""The connection of a short command, which opens with the first request.

Through a tunnel each round trip costs the latency of the network. So the password travels with the
first request, and the reply to that request shows whether the tunnel works.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from mlq.errors import QueueUnreachableError, TunnelError
from mlq.settings.settings import Settings
from mlq.store.client import Client
from mlq.tunnel import reach

T = TypeVar("T")
Command = Sequence[str | bytes | int | float]


class LazyClient:
    """A `mlq.store.client.Client` that connects with its first request.

    Args:
        settings: they say where the queue is.
        connect: connects to a socket.

    The first request may also raise what `through` raises.
    """

    def __init__(self, settings: Settings, connect: Callable[[Path], Client]) -> None:
        self._settings, self._connect = settings, connect
        self._client: Client | None = None

    def call(self, *command: str | bytes | int | float) -> Any:
        """Send one command and return its reply."""
        return self.call_many([command])[0]

    def call_many(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands together and return their replies; raise the first error reply."""
        if self._client is not None:
            return self._client.call_many(commands)
        return through(self._settings, lambda path: self._ask_at(path, commands))

    def _ask_at(self, path: Path, commands: Sequence[Command]) -> list[Any]:
        self._client = self._connect(path)
        try:
            return self._client.call_many(commands)
        except QueueUnreachableError:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._client is not None:
            self._client.close()
            self._client = None


def through(settings: Settings, open_at: Callable[[Path], T]) -> T:
    """Open a connection to the queue, through a tunnel if its server is on another host.

    A tunnel that looked alive may be dead after the laptop slept or changed networks. The tunnel's
    daemon notices that, and this function connects once more through the new tunnel.

    Args:
        settings: of this installation.
        open_at: opens a connection at a socket, and sends the request.

    Raises:
        TunnelError: the queue's host cannot be reached.
        QueueUnreachableError: the host can be reached, but no server answers there.
    """
    if not settings.is_remote:
        try:
            return open_at(settings.redis_socket)
        except QueueUnreachableError as error:
            from mlq.server.files import explained

            raise explained(error, settings) from None
    try:
        return open_at(reach(settings))
    except TunnelError:
        raise
    except QueueUnreachableError:
        from mlq.tunnel.shared_client import proven_tunnel

        path = proven_tunnel(settings)
    try:
        return open_at(path)
    except QueueUnreachableError as error:
        from mlq.tunnel.target import Target

        raise QueueUnreachableError(
            f"no queue answers at {Target.of(settings)}",
            why=error.why,
            fix="on that host: `mlq server status`; if it runs there, compare its redis_socket "
            "(`mlq config`) with remote_socket here",
        ) from None
