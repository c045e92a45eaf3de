"""Makes tunnels of either kind for a test, with a loss noticed soon, and stops them."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from redis_server import RedisServer
from ssh_world import SshWorld

from mlq.store.connection import RedisClient, open_client
from mlq.tunnel.openssh import OpensshConnector
from mlq.tunnel.paramiko_tunnel import ParamikoConnector
from mlq.tunnel.reconnect import Connector, SupervisedTunnel
from mlq.tunnel.target import Target

UP_S = 30.0


class Tunnels:
    """Makes tunnels of one kind to the session's server, and stops them.

    Args:
        kind: `openssh` or `sshtunnel`.
        world: whose ssh configuration is used.
        server: the queue's server.
    """

    def __init__(self, kind: str, world: SshWorld, server: RedisServer) -> None:
        self.kind, self._world, self._server = kind, world, server
        self.folder = Path(tempfile.mkdtemp(prefix="mlq-"))
        self._made: list[SupervisedTunnel] = []

    def start(
        self,
        host: str = "queue",
        gateway: str = "",
        *,
        socket: str = "",
        port: int = 0,
        alive_s: int | None = 1,
    ) -> SupervisedTunnel:
        """Start a tunnel; `alive_s` shortens how long a silent loss takes to be noticed.

        None leaves it as it is in use.
        """
        target = Target(
            host,
            gateway,
            socket or str(self._server.settings.redis_socket),
            port,
            how=self.kind,
            ssh_config=str(self._world.config),
        )
        folder = self.folder / str(len(self._made))
        tunnel = SupervisedTunnel(
            folder,
            self._connector(target, folder, alive_s),
            chance=lambda: 0.0,
        )
        self._made.append(tunnel)
        tunnel.start()
        return tunnel

    def _connector(self, target: Target, folder: Path, alive_s: int | None) -> Connector:
        if self.kind == "openssh":
            times = {} if alive_s is None else {"alive_s": alive_s}
            return OpensshConnector(target, folder, **times)
        beats = {} if alive_s is None else {"beat_s": alive_s, "silence_s": 3 * alive_s}
        return ParamikoConnector(target, folder, **beats)

    def up(self, host: str = "queue", gateway: str = "", **options: Any) -> SupervisedTunnel:
        """Start a tunnel and wait until it is up."""
        tunnel = self.start(host, gateway, **options)
        tunnel.wait_up(UP_S)
        return tunnel

    def client(self, tunnel: SupervisedTunnel) -> RedisClient:
        """Return a client of the queue through a tunnel."""
        return open_client(self._server.settings._replace(redis_socket=tunnel.socket))

    def end(self) -> None:
        """Stop them all."""
        for tunnel in self._made:
            tunnel.stop()
        shutil.rmtree(self.folder)
