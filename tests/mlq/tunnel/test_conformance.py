"""What every tunnel must do, whatever speaks ssh underneath: against real sshd processes."""

from __future__ import annotations

import os
import socket
import stat
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ci import require
from redis_server import RedisServer, private_server
from ssh_agent import Agent
from ssh_world import SshWorld, free_port, make_key
from tunnels import UP_S, Tunnels
from waiting import wait_for

from mlq.errors import TunnelError
from mlq.files.paths import read_secret
from mlq.tunnel.interface import Answer, ask

pytestmark = pytest.mark.slow

CLIENTS = 20


def failure(
    tunnels: Tunnels, host: str = "queue", gateway: str = "", **options: Any
) -> TunnelError:
    """Return why a tunnel does not come up."""
    tunnel = tunnels.start(host, gateway, **options)
    with pytest.raises(TunnelError) as raised:
        tunnel.wait_up(UP_S)
    assert not tunnel.state.up
    assert not tunnel.socket.exists()
    return raised.value


def test_the_queue_is_reached_and_the_socket_is_private(tunnels: Tunnels, world: SshWorld) -> None:
    world.host("queue")
    tunnel = tunnels.up()
    assert tunnels.client(tunnel).call("PING")
    assert stat.S_IMODE(tunnel.socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(tunnel.socket.parent.stat().st_mode) == 0o700
    tunnel.stop()
    assert not tunnel.state.up
    assert not tunnel.socket.exists()


def test_the_gateway_of_the_settings_is_jumped_through(tunnels: Tunnels, world: SshWorld) -> None:
    world.host("queue")
    gate = world.host("gate")
    assert tunnels.client(tunnels.up("queue", "gate")).call("PING")
    assert "Accepted publickey" in gate.log


def test_jumps_of_the_ssh_configuration_are_honoured(tunnels: Tunnels, world: SshWorld) -> None:
    world.host("queue")
    gates = [world.host("gate"), world.host("inner")]
    included = world.folder / "more_config"
    included.write_text("Host queue\n  ProxyJump inner\n")
    world.write_config(general=f"Include {included}", inner="ProxyJump gate")
    assert tunnels.client(tunnels.up()).call("PING")
    assert all("Accepted publickey" in gate.log for gate in gates)


def test_twenty_clients_at_once(tunnels: Tunnels, world: SshWorld) -> None:
    world.host("queue")
    tunnel = tunnels.up()
    payload = os.urandom(200_000)

    def work(number: int) -> bool:
        client = tunnels.client(tunnel)
        key = f"mlq:test:{number}"
        # Far more than fits into the buffers on the way, in both directions at once.
        replies = client.call_many([("SET", key, payload), *[("GET", key)] * 20, ("DEL", key)])
        client.close()
        return replies[1:-1] == [payload] * 20

    with ThreadPoolExecutor(CLIENTS) as pool:
        assert all(pool.map(work, range(CLIENTS)))


def test_an_unknown_host_key_is_refused(tunnels: Tunnels, world: SshWorld) -> None:
    queue = world.host("queue")
    world.known_hosts.write_text("")
    error = failure(tunnels)
    assert "not known" in error.what
    assert queue.fingerprint in error.why
    assert "ssh -F" in error.fix


def test_advice_for_a_configuration_that_forgets_keys(tunnels: Tunnels, world: SshWorld) -> None:
    """Answering yes would help for that one time only."""
    queue = world.host("queue")
    world.write_config(queue="UserKnownHostsFile /dev/null")
    error = failure(tunnels)
    assert f"{queue.fingerprint}, and your ssh configuration forgets" in error.why
    assert "UserKnownHostsFile ~/.ssh/known_hosts" in error.fix


def test_a_changed_host_key_is_refused(tunnels: Tunnels, world: SshWorld) -> None:
    queue = world.host("queue")
    queue.stop()
    queue.new_key()
    queue.start()
    error = failure(tunnels)
    assert "has changed" in error.what
    assert queue.fingerprint in error.why
    assert str(world.known_hosts) in error.why
    assert "ssh-keygen -R" in error.fix


@pytest.mark.parametrize("by_settings", [True, False])
def test_the_key_of_a_gateway_is_checked_too(
    tunnels: Tunnels, world: SshWorld, by_settings: bool
) -> None:
    world.host("queue")
    gate = world.host("gate")
    world.list_keys("queue")
    # Not even a careless line of the user's own makes it trusted.
    world.write_config("StrictHostKeyChecking no", queue="" if by_settings else "ProxyJump gate")
    error = failure(tunnels, "queue", "gate" if by_settings else "")
    assert "not known" in error.what
    assert gate.fingerprint in error.why
    assert "Accepted" not in gate.log


def test_a_revoked_host_key_is_refused(tunnels: Tunnels, world: SshWorld) -> None:
    queue = world.host("queue")
    listed = world.known_hosts.read_text()
    world.known_hosts.write_text(f"{listed}@revoked * {queue.public_key}\n")
    assert "revoked" in failure(tunnels).what


def test_a_refused_forwarding_says_so_and_names_the_way_out(
    tunnels: Tunnels, world: SshWorld
) -> None:
    world.host("queue", AllowStreamLocalForwarding="no")
    error = failure(tunnels)
    assert "does not forward to the unix socket" in error.what
    assert "AllowStreamLocalForwarding" in error.why
    assert "redis_tcp = true" in error.fix


def test_the_way_out_leads_over_loopback_tcp(tunnels: Tunnels, world: SshWorld) -> None:
    world.host("queue", AllowStreamLocalForwarding="no")
    port = free_port()
    with private_server(MLQ_REDIS_TCP="true", MLQ_REDIS_PORT=str(port)):
        assert ask(tunnels.up(port=port).socket, 10) is Answer.YES


def test_a_refused_tcp_forwarding_says_so(tunnels: Tunnels, world: SshWorld) -> None:
    world.host("queue", AllowTcpForwarding="no")
    error = failure(tunnels, port=free_port())
    assert "does not forward to 127.0.0.1:" in error.what
    assert "AllowTcpForwarding" in error.why


def test_a_gateway_that_refuses_to_forward(tunnels: Tunnels, world: SshWorld) -> None:
    world.host("queue")
    world.host("gate", AllowTcpForwarding="no")
    error = failure(tunnels, "queue", "gate")
    assert error.what == "the gateway cannot reach queue"
    assert "prohibited" in error.why


def test_a_gateway_that_finds_the_host_off(tunnels: Tunnels, world: SshWorld) -> None:
    queue = world.host("queue")
    world.host("gate")
    queue.end()
    assert failure(tunnels, "queue", "gate").what == "the gateway cannot reach queue"


def test_a_host_that_does_not_answer(tunnels: Tunnels, world: SshWorld) -> None:
    queue = world.host("queue")
    queue.end()
    error = failure(tunnels)
    assert error.what == f"127.0.0.1 port {queue.port} cannot be reached"
    assert error.why == "Connection refused"


def test_a_name_that_means_no_host(tunnels: Tunnels, world: SshWorld) -> None:
    error = failure(tunnels, "no-such-host.invalid")
    assert error.what == "there is no host no-such-host.invalid"


def test_a_key_that_is_not_accepted(tunnels: Tunnels, world: SshWorld) -> None:
    world.host("queue")
    world.key.unlink()
    make_key(world.key)
    error = failure(tunnels)
    assert "does not let you in" in error.what
    assert "ssh -F" in error.fix


def test_no_key_at_all(tunnels: Tunnels, world: SshWorld) -> None:
    world.host("queue")
    world.key.unlink()
    error = failure(tunnels)
    assert "does not let you in" in error.what
    assert error.why
    assert "ssh -F" in error.fix


def test_a_user_who_is_not_known_there(tunnels: Tunnels, world: SshWorld) -> None:
    world.host("queue")
    error = failure(tunnels, "somebody-else@queue")
    assert "somebody-else" in error.what
    assert "does not let you in" in error.what
    assert error.fix


def test_an_agent_that_is_locked(tunnels: Tunnels, world: SshWorld, agent: Agent) -> None:
    world.host("queue")
    agent.take_over(world.key)
    tunnels.up().stop()
    agent.lock()
    error = failure(tunnels)
    assert "does not let you in" in error.what
    assert "ssh-add -l" in error.fix
    agent.unlock()
    assert tunnels.client(tunnels.up()).call("PING")


def test_of_the_agent_only_listed_keys_are_offered(
    tunnels: Tunnels, world: SshWorld, agent: Agent
) -> None:
    world.host("queue")
    agent.take_over(world.key)
    for path in (world.key, world.key.with_suffix(".pub")):
        path.unlink()
    make_key(world.key)
    assert "does not let you in" in failure(tunnels).what  # the configuration: IdentitiesOnly
    world.config.write_text(world.config.read_text().replace("IdentitiesOnly yes", ""))
    assert tunnels.client(tunnels.up()).call("PING")


def test_a_server_that_is_not_there_yet_is_no_fault_of_the_tunnel(
    tunnels: Tunnels, world: SshWorld, redis_server: RedisServer, tmp_path: Path
) -> None:
    world.host("queue")
    later = tmp_path / "later.sock"
    tunnel = tunnels.start(socket=str(later))
    tunnel.wait_up(UP_S)
    assert ask(tunnel.socket, 10) is Answer.CLOSED
    later.symlink_to(redis_server.settings.redis_socket)
    assert ask(tunnel.socket, 10) is Answer.YES
    assert tunnel.state.restarts == 0


def everybodys(folder: Path) -> None:
    folder.chmod(0o777)


def open_to_readers(folder: Path) -> None:
    folder.chmod(0o755)


def somebody_elses(folder: Path) -> None:
    os.chown(folder, 12345, -1)


def a_link(folder: Path) -> None:
    folder.symlink_to(folder.rename(folder.with_name("real")))


@pytest.mark.root
@pytest.mark.parametrize("plant", [everybodys, open_to_readers, somebody_elses, a_link])
def test_a_planted_folder_on_the_queues_host_is_refused(
    tunnels: Tunnels, world: SshWorld, tmp_path: Path, plant: Callable[[Path], None]
) -> None:
    require(os.geteuid() == 0, "root, to give a folder away")
    world.host("queue")
    folder = tmp_path / "mlq-of a user"
    folder.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as planted:
        planted.bind(str(folder / "redis.sock"))
        planted.listen()
        planted.setblocking(False)
        plant(folder)
        error = failure(tunnels, socket=str(folder / "redis.sock"))
        with pytest.raises(BlockingIOError):
            planted.accept()
    assert error.what == f"the folder {folder} on queue is not yours alone"
    assert "password" in error.why
    assert "remote_socket" in error.fix


def test_a_host_that_runs_no_commands_forwards_all_the_same(
    tunnels: Tunnels, world: SshWorld
) -> None:
    world.host("queue", ForceCommand="false")
    assert tunnels.client(tunnels.up()).call("PING")


def test_it_comes_back_when_the_host_does(tunnels: Tunnels, world: SshWorld) -> None:
    queue = world.host("queue")
    tunnel = tunnels.up()
    queue.stop()
    wait_for(lambda: not tunnel.state.up, what="the loss to be noticed")
    assert not tunnel.socket.exists()
    queue.start()
    wait_for(lambda: tunnel.state.up, what="the tunnel to be back")
    assert tunnel.state.restarts == 1
    assert tunnel.state.trouble(time.monotonic()).startswith("tunnel was down for ")
    assert tunnels.client(tunnel).call("PING")


@pytest.mark.parametrize("cut", ["queue", "gate"])
def test_a_silent_cut_is_noticed_and_healed(tunnels: Tunnels, world: SshWorld, cut: str) -> None:
    hosts = {"queue": world.host("queue"), "gate": world.host("gate")}
    tunnel = tunnels.up("queue", "gate", alive_s=1)
    hosts[cut].wire.cut()
    wait_for(lambda: not tunnel.state.up, timeout_s=10, what="the loss to be noticed")
    hosts[cut].wire.heal()
    wait_for(lambda: tunnel.state.up, what="the tunnel to be back")
    assert tunnels.client(tunnel).call("PING")


def test_whoever_needs_it_finds_out_about_a_dead_connection_at_once(
    tunnels: Tunnels, world: SshWorld
) -> None:
    queue = world.host("queue")
    tunnel = tunnels.up(alive_s=3600)
    queue.wire.forget()
    assert tunnel.state.up
    tunnel.nudge()
    wait_for(lambda: tunnel.state.restarts == 1, what="a new connection")
    assert tunnels.client(tunnel).call("PING")


def test_a_failing_tunnel_tries_again_at_once_when_it_is_wanted(
    tunnels: Tunnels, world: SshWorld
) -> None:
    queue = world.host("queue")
    queue.stop()
    tunnel = tunnels.start()
    wait_for(lambda: tunnel.state.last_error, what="the first failure")
    assert tunnel.state.trouble(time.monotonic()).startswith("tunnel down ")
    queue.start()
    tunnel.wait_up(UP_S)


def test_no_secret_is_in_a_command_line_a_repr_or_a_log(
    tunnels: Tunnels,
    world: SshWorld,
    redis_server: RedisServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    world.host("queue")
    tunnel = tunnels.up()
    client = tunnels.client(tunnel)
    client.call("PING")
    password = read_secret(redis_server.settings.password_file).decode().strip()
    secrets = [password, *world.key.read_text().splitlines()[1:-1]]
    lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if readable(path)]
    shown = [repr(tunnel), repr(vars(tunnel)), repr(tunnel.state), caplog.text, *map(repr, lines)]
    assert not [one for secret in secrets for one in shown if secret in one]
    # The agent, the display and the forwardings of the user stay out of it as well.
    assert "-A" not in b"".join(lines).split(b"\0")


def readable(path: Path) -> bool:
    """Whether a file of a process that may have ended can be read."""
    try:
        path.read_bytes()
    except OSError:
        return False
    return True
