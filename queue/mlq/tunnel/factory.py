"""Chooses the ssh implementation: the user's own `ssh`, or Python's."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from mlq.errors import TunnelError
from mlq.tunnel.interface import TunnelState
from mlq.tunnel.reconnect import Connector, SupervisedTunnel
from mlq.tunnel.target import Target


def new_tunnel(
    target: Target, folder: Path, on_change: Callable[[TunnelState], None] = lambda _: None
) -> SupervisedTunnel:
    """Return a tunnel, not started yet.

    Args:
        target: where it leads.
        folder: private to this tunnel.
        on_change: called with the state whenever it changes, in the tunnel's own thread.

    Raises:
        TunnelError: the setting asks for `openssh`, and there is no `ssh`.
    """
    return SupervisedTunnel(folder, _connector(target, folder), on_change=on_change)


def _connector(target: Target, folder: Path) -> Connector:
    program = shutil.which("ssh")
    if target.how == "openssh" and program is None:
        raise TunnelError(
            "there is no `ssh` in the PATH", fix='install it, or set tunnel = "sshtunnel"'
        )
    if target.how == "sshtunnel" or program is None:
        from mlq.tunnel.paramiko_tunnel import ParamikoConnector

        return ParamikoConnector(target, folder)
    from mlq.tunnel.openssh import OpensshConnector

    return OpensshConnector(target, folder, program=program)
