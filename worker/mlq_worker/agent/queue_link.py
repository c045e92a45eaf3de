"""The worker's own connection to a queue on another host: a tunnel that lives as long as it does.

It is not the tunnel that commands share, which ends when no command is typed for a while. The rest
of the worker reaches the queue at a socket of this machine; a cut tunnel is a queue that does not
answer. Jobs go on meanwhile, and the worker reports their ends when the tunnel is back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mlq.files.paths import machine_dir
from mlq.settings.settings import Settings

_FIRST_CONNECTION_S = 45.0


@contextmanager
def queue_reached(settings: Settings) -> Iterator[tuple[Settings, Callable[[], str]]]:
    """Keep the connection to the queue open while the context lasts.

    Args:
        settings: of this installation.

    Yields:
        The settings as if the queue were here, and a function that returns what is wrong with the
        tunnel, or was until lately; "" if nothing.

    Raises:
        TunnelError: the queue's host cannot be reached.
    """
    if not settings.is_remote:
        yield settings, lambda: ""
        return
    from mlq.tunnel.factory import new_tunnel
    from mlq.tunnel.target import Target

    folder = machine_dir(settings.runtime_dir, settings.machine) / "tunnel"
    tunnel = new_tunnel(Target.of(settings), folder)
    tunnel.start()
    try:
        tunnel.wait_up(_FIRST_CONNECTION_S)
        here = settings._replace(queue_host="", redis_socket=tunnel.socket)
        yield here, lambda: tunnel.state.trouble(time.monotonic())
    finally:
        tunnel.stop()
