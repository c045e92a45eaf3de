"""A laptop that slept, or moved to another network, under its background tunnel: `mlq ls` works.

Nobody wants to read about a connection that mlq can make again by itself. At most it says that the
queue takes long.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from laptop import Laptop, new_laptop
from leftovers import processes_of
from own_network import OwnNetwork
from sandbox import Sandbox
from ssh_world import SshWorld
from waiting import wait_for

pytestmark = [pytest.mark.root, pytest.mark.slow]
IDLE_S = 2.0
LONGER_S = 2 * IDLE_S


@pytest.fixture(params=["openssh", "sshtunnel"])
def laptop(
    request: pytest.FixtureRequest, network: OwnNetwork, home: Sandbox, world: SshWorld
) -> Iterator[Laptop]:
    """A laptop in a network of its own with the hosts, its tunnel up."""
    network.move()
    home.start_server()
    job = home.submit(name="from-before")
    variables = {"MLQ_TUNNEL": request.param, "MLQ_TUNNEL_IDLE_S": str(IDLE_S)}
    with new_laptop(home, world, **variables) as laptop:
        assert job in laptop.ok("ls")
        yield laptop


def as_before(laptop: Laptop) -> None:
    """The next commands do their work; the first may say that it takes long, and none says more."""
    done = laptop.run("ls")
    assert done.code == 0, done
    assert "from-before" in done.out
    assert done.err == "" or ("has not answered for 2 s" in done.err and done.err.count("\n") == 1)
    number = laptop.ok("enqueue", "--name", "after", "--", "true").strip()
    assert f'"id": "{number}"' in laptop.ok("show", number, "--json")


def fall_asleep(laptop: Laptop) -> list[int]:
    """Stop all that runs of the laptop; returns the processes."""
    asleep = list(processes_of(laptop.folder))
    for pid in asleep:
        os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: all(state_of(pid) == "T" for pid in asleep), what="the laptop to sleep")
    return asleep


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def wake(asleep: list[int]) -> None:
    for pid in asleep:
        os.kill(pid, signal.SIGCONT)


def test_another_address(network: OwnNetwork, laptop: Laptop) -> None:
    network.move()
    as_before(laptop)


def sshd_here() -> list[str]:
    """Return the sshd processes in the network of this thread."""
    here, found = Path("/proc/thread-self/ns/net").readlink(), []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            name = (process / "comm").read_text().strip()
            if name.startswith("sshd") and (process / "ns/net").readlink() == here:
                found.append(process.name)
    return found


def test_no_session_outlives_its_host(network: OwnNetwork, laptop: Laptop) -> None:
    """One whose connection is from an address that is gone hears of no end."""
    assert len(sshd_here()) > 2
    network.move()
    laptop.gate.stop()
    laptop.queue_host.stop()
    wait_for(lambda: not sshd_here(), what="sshd to end")


def test_a_sleep_in_which_the_far_end_gave_up(network: OwnNetwork, laptop: Laptop) -> None:
    asleep = fall_asleep(laptop)
    network.drop_port(laptop.gate.port)
    laptop.gate.stop()  # a laptop that sleeps is told of no end
    laptop.gate.start()
    network.pass_all()
    wake(asleep)
    as_before(laptop)


def test_a_sleep_longer_than_a_tunnel_may_be_idle(laptop: Laptop) -> None:
    asleep = fall_asleep(laptop)
    began_s = time.monotonic()
    wait_for(lambda: time.monotonic() - began_s > LONGER_S, what="a long sleep")
    wake(asleep)
    as_before(laptop)
