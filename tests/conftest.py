"""Fixtures every test may use, and what the long tests can be told."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from hypothesis import HealthCheck, settings
from people import remove_what_they_left
from redis_server import RedisServer, private_server
from server_programs import REPOSITORY, names, program
from slurm_cluster import SlurmCluster, slurm_cluster


def pytest_addoption(parser: pytest.Parser) -> None:
    """Seeds are told to the simulation and to the soak of the lab in a box."""
    parser.addoption("--seed", type=int, default=None, help="simulate, or soak, with this seed")
    parser.addoption(
        "--one-server",
        action="store_true",
        help="run the tests of store and server on one server program, not on all",
    )
    parser.addoption("--still-s", type=float, default=60.0, help="how long nobody is at the desk")
    parser.addoption("--soak-s", type=float, default=30.0, help="how long faults happen in a soak")


# A machine that is busy with other tests is no reason to fail.
settings.register_profile(
    "patient", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("patient")


def pytest_configure() -> None:
    """Let Ctrl-C reach what tests start: what a shell runs in the background ignores it."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_sessionfinish() -> None:
    """Leave nothing of the users that only these tests have."""
    remove_what_they_left()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Run three tests on two cores: many of them wait for most of their time."""
    return max(2, len(os.sched_getaffinity(0)) * 3 // 2)


# Of these, single files take minutes.
_LONG = (
    *("tests/simulation/", "tests/lab/", "tests/chaos/", "tests/security/", "tests/end_to_end/"),
    *("tests/mlq/tunnel/", "tests/mlq_cli/remote/"),
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what takes longest where files run side by side, so that none is left at the end.

    Otherwise what is quick comes first, as its failures tell more.
    """
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: not item.nodeid.startswith(_LONG))


# What these tests are about differs between server programs; all others run on one of them.
_EVERY_SERVER = ("tests/mlq/store/", "tests/end_to_end/test_server")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests of store and server on every server program that can be had."""
    path = metafunc.definition.path.relative_to(REPOSITORY).as_posix()
    once = metafunc.definition.get_closest_marker("one_server")
    once = once or metafunc.config.getoption("--one-server")
    if "server_program" in metafunc.fixturenames and path.startswith(_EVERY_SERVER) and not once:
        metafunc.parametrize("server_program", names(), indirect=True, scope="session")


@pytest.fixture(scope="session")
def server_program(request: pytest.FixtureRequest) -> Path | None:
    """The server program of this test; None: the one that a user would get."""
    name = getattr(request, "param", "")
    return program(name) if name else None


@pytest.fixture(scope="session")
def redis_server(server_program: Path | None) -> Iterator[RedisServer]:
    """The test session's own server."""
    with private_server(server_program) as running:
        yield running


@pytest.fixture
def redis_client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    """An empty queue, seen with the rights of the queue's user; replies are bytes."""
    redis_server.admin.flushall()
    with redis_server.client() as client:
        yield client


@pytest.fixture(scope="session")
def slurm() -> Iterator[SlurmCluster]:
    """A real Slurm of one machine, the test session's own; skips where none can be had."""
    with slurm_cluster() as running:
        yield running
