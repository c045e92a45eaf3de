"""The way to a queue whose server is on another host: a unix socket here, carried there by ssh.

Everything that speaks to the queue asks `reach` for the socket to connect to. Without `queue_host`
that is the server's own socket and nothing of ssh is imported. The invariant of the package:
whatever happens to the network, the socket is either a way to the queue's host whose ssh host key
was checked, or it is gone; it is private (0600 in a 0700 folder), and nothing listens on TCP.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from mlq.errors import QueueUnreachableError, TunnelError
from mlq.settings.settings import Settings

T = TypeVar("T")


def is_remote(settings: Settings) -> bool:
    """Tell whether the queue is on another host; machines may share one config file."""
    host = settings.queue_host.rpartition("@")[2]
    here = os.uname().nodename
    return bool(host) and host not in (here, here.split(".")[0])


def reach(settings: Settings) -> Path:
    """Return the socket to connect to; starts the tunnel that all commands share if need be.

    Raises:
        TunnelError: the queue's host cannot be reached; says why and what to do.
        UnsafePathError: somebody else has, or can use, the folder of the socket.
    """
    if not is_remote(settings):
        return settings.redis_socket
    from mlq.tunnel.shared_client import shared_tunnel

    return shared_tunnel(settings)


def through(settings: Settings, open_at: Callable[[Path], T]) -> T:
    """Open a connection to the queue, through a tunnel if its server is on another host.

    A tunnel that looked alive may turn out dead, after the laptop slept or changed networks: its
    keeper notices, and the connection is opened once more through the new one.

    Args:
        settings: of this installation.
        open_at: opens a connection at a socket, and speaks through it.

    Raises:
        TunnelError: the queue's host cannot be reached.
        QueueUnreachableError: it can, but no server answers there.
    """
    if not is_remote(settings):
        try:
            return open_at(settings.redis_socket)
        except QueueUnreachableError as error:
            from mlq.server.lost_files import explained

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
