"""A network that swallows packets and tells nobody, under tunnels of either kind.

Real TCP over a link where nftables drops what it is told to: both ends believe in a connection that
is none any more, as behind a firewall that forgot it, or when a switch dies.
"""

from __future__ import annotations

import pytest
from own_network import OwnNetwork
from ssh_world import SshHost, SshWorld
from tunnels import UP_S, Tunnels
from waiting import wait_for

from mlq.tunnel.interface import Answer, ask
from mlq.tunnel.reconnect import SupervisedTunnel

pytestmark = [pytest.mark.root, pytest.mark.slow]
PROMISED_S = 30.0  # within which a silent loss is noticed
SOON_S = 10.0
BACK_S = 60.0  # an attempt that began just before takes a while to be given up


@pytest.fixture
def hosts(network: OwnNetwork, world: SshWorld) -> dict[str, SshHost]:
    """The queue's host behind a gateway, both in a network of their own."""
    return {name: world.host(name) for name in ("queue", "gate")}


def until_lost(tunnel: SupervisedTunnel, timeout_s: float) -> None:
    wait_for(lambda: not tunnel.state.up, timeout_s, "the loss to be noticed")
    assert not tunnel.socket.exists()


def until_back(tunnels: Tunnels, tunnel: SupervisedTunnel) -> None:
    wait_for(lambda: tunnel.state.up, BACK_S, "the tunnel to be back")
    assert tunnel.state.restarts == 1
    assert tunnels.client(tunnel).call("PING")


def test_they_are_noticed_within_the_time_promised(
    network: OwnNetwork, hosts: dict[str, SshHost], tunnels: Tunnels
) -> None:
    tunnel = tunnels.up("queue", "gate", alive_s=None)
    network.drop_port(hosts["gate"].port)

    def is_lost() -> bool:
        # Clients come meanwhile: that something is sent must not count as a sign of life.
        return not tunnel.state.up or ask(tunnel.socket, 0.2) is Answer.YES

    wait_for(is_lost, PROMISED_S, "the loss to be noticed")
    assert not tunnel.state.up
    network.pass_all()
    until_back(tunnels, tunnel)


@pytest.mark.parametrize("lost", ["queue", "gate"])
def test_they_are_noticed_wherever_they_get_lost(
    network: OwnNetwork, hosts: dict[str, SshHost], tunnels: Tunnels, lost: str
) -> None:
    tunnel = tunnels.up("queue", "gate", alive_s=1)
    network.drop_port(hosts[lost].port)
    until_lost(tunnel, SOON_S)
    network.pass_all()
    until_back(tunnels, tunnel)


def test_a_host_that_swallows_all_is_given_up_with_a_reason(
    network: OwnNetwork, hosts: dict[str, SshHost], tunnels: Tunnels
) -> None:
    network.drop_port(hosts["queue"].port)
    tunnel = tunnels.start("queue")
    wait_for(lambda: tunnel.state.last_error, UP_S, "it to be given up")
    error = tunnel.state.last_error
    assert error
    assert error.what == f"127.0.0.1 port {hosts['queue'].port} cannot be reached"
    assert "timed out" in error.why
    assert "VPN" in error.fix
