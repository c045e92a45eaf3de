"""Fixtures every test may use, and what the long tests can be told."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
import redis
from redis_server import RedisServer, private_server


def pytest_addoption(parser: pytest.Parser) -> None:
    """Seeds are told to the simulation and to the soak of the lab in a box."""
    parser.addoption("--seed", type=int, default=None, help="simulate, or soak, with this seed")
    parser.addoption("--soak-s", type=float, default=30.0, help="how long faults happen in a soak")


def pytest_configure() -> None:
    """Let Ctrl-C reach what tests start: what a shell runs in the background ignores it."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """The test session's own server."""
    with private_server() as running:
        yield running


@pytest.fixture
def redis_client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    """An empty queue, seen with the rights of the queue's user; replies are bytes."""
    redis_server.admin.flushall()
    with redis_server.client() as client:
        yield client
