"""A worker whose queue is on another host: its own tunnel, cut and healed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from local_lab import PATIENT, Lab, Machine, new_lab
from ssh_world import SshWorld
from waiting import wait_for

pytestmark = pytest.mark.slow


@pytest.fixture
def lab() -> Iterator[Lab]:
    """A lab of its own for the test."""
    with new_lab(**PATIENT) as lab:
        yield lab


def through_ssh(world: SshWorld, tunnel: str) -> dict[str, str]:
    """Return the variables of a worker that reaches the queue by ssh."""
    return {
        "MLQ_QUEUE_HOST": "queue",
        "MLQ_SSH_CONFIG": str(world.config),
        "MLQ_TUNNEL": tunnel,
    }


@pytest.mark.parametrize("tunnel", ["openssh", "sshtunnel"])
def test_a_cut_tunnel_costs_no_job_and_is_told(lab: Lab, world: SshWorld, tunnel: str) -> None:
    queue = world.host("queue")
    machine = lab.machine("lab01", environ=through_ssh(world, tunnel))
    job = lab.sh("echo $$ >pid; until [ -e end ]; do sleep 0.05; done")
    lab.pid("pid")
    queue.stop()
    status = machine.runtime / "worker.status"
    wait_for(lambda: "tunnel down" in status.read_text(), what="the worker to tell")
    lab.open("end")
    wait_for(lab.layout.result_file(job, 1).exists, what="the result on NFS")
    queue.start()
    ended = lab.until(job, "finished")
    assert ended.attempt == 1
    lab.until_shown("lab01", lambda row: "tunnel was down for" in row["condition"])
    assert "tunnel was down for" in lab.sandbox.ok("machines")


def test_a_worker_that_cannot_reach_the_queues_host_says_so(lab: Lab, world: SshWorld) -> None:
    queue = world.host("queue")
    world.known_hosts.write_text("")
    environ = through_ssh(world, "openssh")
    machine = Machine(lab, "lab01", ("--gpus", "none"), environ=environ)
    done = machine.try_start()
    assert done.code == 1
    assert "host key" in done.err
    assert queue.fingerprint in done.err


@pytest.mark.parametrize("tunnel", ["openssh", "sshtunnel"])
def test_a_tunnel_whose_socket_a_cleaner_took_is_made_anew(
    lab: Lab, world: SshWorld, tunnel: str
) -> None:
    world.host("queue")
    machine = lab.machine("lab01", environ=through_ssh(world, tunnel))
    socket = machine.runtime / "tunnel" / "sock"
    socket.unlink()
    wait_for(socket.exists, what="the socket to be made anew")
    lab.until(lab.sh("true"), "finished")
    lab.until_shown("lab01", lambda row: "was removed" in row["condition"])
