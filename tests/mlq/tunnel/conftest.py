"""Fixtures of the tests of tunnels: a world of sshd processes, and tunnels of either kind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from own_network import OwnNetwork, new_own_network
from redis_server import RedisServer
from sandbox import Sandbox, new_sandbox
from ssh_agent import Agent, running_agent
from ssh_world import SshWorld, new_ssh_world
from tunnels import Tunnels


@pytest.fixture(scope="module")
def home() -> Iterator[Sandbox]:
    """The queue's own host."""
    with new_sandbox() as home:
        yield home


@pytest.fixture
def network() -> Iterator[OwnNetwork]:
    """A network of the test's own; asked for first, the hosts are in it too."""
    with new_own_network() as network:
        yield network


@pytest.fixture
def world() -> Iterator[SshWorld]:
    """Hosts to reach by ssh; the test says which."""
    with new_ssh_world() as world:
        yield world


@pytest.fixture(params=["openssh", "sshtunnel"])
def tunnels(
    request: pytest.FixtureRequest, world: SshWorld, redis_server: RedisServer
) -> Iterator[Tunnels]:
    """Tunnels of either kind."""
    tunnels = Tunnels(request.param, world, redis_server)
    try:
        yield tunnels
    finally:
        tunnels.end()


@pytest.fixture
def agent(world: SshWorld, monkeypatch: pytest.MonkeyPatch) -> Iterator[Agent]:
    """An ssh agent, which whatever the test starts asks."""
    with running_agent(world.folder) as (agent, socket):
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        yield agent
