"""What only a tunnel by `ssh` can get wrong: the user's configuration, and the child process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from leftovers import processes_of
from redis_server import RedisServer
from ssh_world import SshWorld, free_port
from tunnels import Tunnels
from waiting import wait_for

from mlq.tunnel.offered_key import Offered
from mlq.tunnel.openssh import ALIVE_COUNT, ALIVE_S, config_text
from mlq.tunnel.openssh_errors import explained
from mlq.tunnel.target import Target


@pytest.fixture
def tunnels(world: SshWorld, redis_server: RedisServer) -> Iterator[Tunnels]:
    """Tunnels by `ssh`."""
    made = Tunnels("openssh", world, redis_server)
    yield made
    made.end()


def test_forwardings_of_the_user_are_left_alone(tunnels: Tunnels, world: SshWorld) -> None:
    world.host("queue")
    world.host("gate")
    port, taken = free_port(), world.hosts["queue"].port
    forwardings = (
        f"LocalForward {port} localhost:1\n  LocalForward {taken} localhost:1\n"
        f"  RemoteForward {taken} localhost:1\n  ExitOnForwardFailure yes\n"
        f"  ControlMaster auto\n  ControlPath {world.folder}/master-%C\n  RemoteCommand top\n"
        "  RequestTTY force\n  ForwardAgent yes\n"
    )
    world.write_config(queue=forwardings, gate=forwardings)
    assert tunnels.client(tunnels.up("queue", "gate")).call("PING")
    listening = Path("/proc/net/tcp").read_text()
    assert f":{port:04X} " not in listening
    assert not list(world.folder.glob("master-*"))


def test_a_silent_loss_takes_less_than_30_s_by_default() -> None:
    assert ALIVE_S * (ALIVE_COUNT + 1) < 30
    text = config_text("~/.ssh/config")
    assert f"ServerAliveInterval {ALIVE_S}\n" in text
    assert text.index("StrictHostKeyChecking yes") < text.index("Include")


PARENT = """
import sys, threading
from pathlib import Path
from mlq.tunnel.factory import new_tunnel
from mlq.tunnel.target import Target
tunnel = new_tunnel(Target.from_json(sys.argv[1]), Path(sys.argv[2]))
tunnel.start()
tunnel.wait_up(30)
print("up", flush=True)
threading.Event().wait()
"""


def test_ssh_dies_with_the_process_that_started_it(
    world: SshWorld, tunnels: Tunnels, tmp_path: Path
) -> None:
    world.host("queue")
    target = Target("queue", "", "/nowhere/sock", how="openssh", ssh_config=str(world.config))
    folder = tunnels.folder / "t"
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, target.to_json(), folder],
        stdout=subprocess.PIPE,
        env={**os.environ, "MLQ_TEST_MARK": str(folder)},
    )
    with parent:
        assert parent.stdout and parent.stdout.readline() == b"up\n"
        assert any("ssh -F" in command for command in processes_of(folder).values())
        parent.send_signal(signal.SIGKILL)
    wait_for(lambda: not processes_of(folder), what="ssh to end")


TARGET = Target("me@gpu01", "gate", "/run/mlq/redis.sock")


@pytest.mark.parametrize(
    ("said", "what", "why"),
    [
        (
            "ssh: connect to host gate port 22: No route to host\nConnection closed by UNKNOWN",
            "gate port 22 cannot be reached",
            "No route to host",
        ),
        (
            "ssh: Could not resolve hostname gpu01: Name or service not known\r\n",
            "there is no host gpu01",
            "Name or service not known",
        ),
        (
            "signing failed: agent refused operation\nme@gpu01: Permission denied (publickey).",
            "me@gpu01 does not let you in",
            "agent refused operation",
        ),
        (
            "Timeout, server gpu01 not responding.\r\n",
            "me@gpu01 (through gate) cannot be reached",
            "Timeout, server gpu01 not responding.",
        ),
        (
            "ssh_config: line 3: Bad configuration option: foo\n",
            "no connection to me@gpu01 (through gate)",
            "Bad configuration option",
        ),
        ("", "no connection to me@gpu01 (through gate)", "without a word"),
    ],
)
def test_what_ssh_says_becomes_one_clear_error(said: str, what: str, why: str) -> None:
    error = explained(said, TARGET, lambda: Offered(""))
    assert error.what == what
    assert why in error.why
    assert error.fix
