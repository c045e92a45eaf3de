"""The way to a queue whose server is on another host: a unix socket here, carried there by ssh.

Everything that speaks to the queue asks `reach` for the socket to connect to. Without `queue_host`
that is the server's own socket and nothing of ssh is imported. The invariant of the package:
whatever happens to the network, the socket either leads to the queue's host, whose ssh host key was
checked, or does not exist; it is private (0600 in a 0700 folder), and nothing listens on TCP.
"""

from __future__ import annotations

from pathlib import Path

from mlq.settings.settings import Settings


def reach(settings: Settings) -> Path:
    """Return the socket to connect to; start the tunnel that all commands share if need be.

    Raises:
        TunnelError: the queue's host cannot be reached; the message says why and what to do.
        UnsafePathError: another user has, or can use, the folder of the socket.
    """
    if not settings.is_remote:
        return settings.redis_socket
    from mlq.tunnel.shared_client import shared_tunnel

    return shared_tunnel(settings)
