"""The tunnel that commands share: `mlq` on a laptop, the queue behind a gateway."""

from __future__ import annotations

import os
import re
import shutil
import signal
import stat
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from laptop import Laptop, new_laptop
from sandbox import Sandbox
from ssh_world import SshWorld
from waiting import wait_for

from mlq.api.queue import Queue

pytestmark = pytest.mark.slow

TOGETHER = 10


@pytest.fixture
def laptop(home: Sandbox, world: SshWorld) -> Iterator[Laptop]:
    """A laptop that has not typed anything yet."""
    with new_laptop(home, world) as laptop:
        yield laptop


def test_a_job_goes_in_and_shows_through_a_gateway(laptop: Laptop, home: Sandbox) -> None:
    laptop.ok("enqueue", "--name", "from-afar", "--", "true")
    assert "from-afar" in home.ok("ls")
    assert "from-afar" in laptop.ok("ls")
    assert "Accepted publickey" in laptop.gate.log


def test_the_second_command_does_not_wait_for_ssh(laptop: Laptop) -> None:
    laptop.ok("ls")
    (keeper,) = laptop.keepers
    logins = laptop.gate.log.count("Accepted publickey")
    laptop.ok("ls")
    assert laptop.keepers == [keeper]
    assert laptop.gate.log.count("Accepted publickey") == logins


def test_ten_commands_at_once_start_one_tunnel(laptop: Laptop) -> None:
    with ThreadPoolExecutor(TOGETHER) as pool:
        done = list(pool.map(lambda _: laptop.run("ls"), range(TOGETHER)))
    assert [(one.code, one.err) for one in done] == [(0, "")] * TOGETHER
    assert len(laptop.keepers) == 1
    assert laptop.queue_host.log.count("Accepted publickey") == 1


def test_what_it_leaves_in_the_runtime_folder_is_private(laptop: Laptop) -> None:
    laptop.ok("ls")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in laptop.place.iterdir()}
    assert modes["sock"] == 0o600
    assert {mode & 0o077 for mode in modes.values()} == {0}
    assert stat.S_IMODE(laptop.place.stat().st_mode) == 0o700


def test_a_folder_that_others_can_use_is_refused(laptop: Laptop) -> None:
    laptop.ok("ls")
    laptop.place.chmod(0o777)
    done = laptop.run("ls")
    assert done.code == 1
    assert "is open to others" in done.err


def test_it_leaves_when_nobody_has_used_it_for_a_while(home: Sandbox, world: SshWorld) -> None:
    with new_laptop(home, world, MLQ_TUNNEL_IDLE_S="1") as laptop:
        laptop.ok("ls")
        place = laptop.place
        laptop.until_left()
        assert not (place / "sock").exists()
        laptop.ok("ls")


def test_it_stays_while_a_command_runs(home: Sandbox, world: SshWorld) -> None:
    with new_laptop(home, world, MLQ_TUNNEL_IDLE_S="1") as laptop:
        job = home.submit("true")
        with laptop.started("wait", job) as waiting:
            wait_for(lambda: laptop.keepers, what="a keeper")
            (keeper,) = laptop.keepers
            used_s = time.monotonic()
            wait_for(lambda: time.monotonic() - used_s > 3, what="three times the idle time")
            assert laptop.keepers == [keeper]
            home.ok("cancel", job)
            waiting.wait(20)


@pytest.mark.parametrize("tunnel", ["openssh", "sshtunnel"])
def test_why_it_cannot_be_reached_is_said_once_and_clearly(
    home: Sandbox, world: SshWorld, tunnel: str
) -> None:
    with new_laptop(home, world, MLQ_TUNNEL=tunnel) as laptop:
        laptop.gate.stop()
        done = laptop.run("ls")
        assert (done.code, done.out) == (1, "")
        assert re.match(r"mlq: .*(cannot be reached|no connection)", done.err)
        assert len(done.err.splitlines()) == 2
        laptop.until_left()
        laptop.gate.start()
        laptop.ok("ls")


def test_a_server_that_does_not_run_is_told_from_a_host_that_is_away(laptop: Laptop) -> None:
    laptop.environ["MLQ_REMOTE_SOCKET"] = "/nowhere/redis.sock"
    done = laptop.run("ls")
    assert done.code == 1
    assert "no queue answers at queue:/nowhere/redis.sock" in done.err
    assert "mlq server status" in done.err


def test_a_killed_keeper_takes_its_ssh_along_and_is_replaced(laptop: Laptop) -> None:
    laptop.ok("ls")
    (keeper,) = laptop.keepers
    os.kill(keeper, signal.SIGKILL)
    wait_for(lambda: not laptop.shells, what="ssh to end with its keeper")
    laptop.ok("ls")
    assert laptop.keepers not in ([], [keeper])


def test_a_lost_host_is_reached_again_when_it_is_back(laptop: Laptop) -> None:
    laptop.ok("ls")
    laptop.queue_host.stop()
    laptop.queue_host.start()
    laptop.ok("ls")


@pytest.mark.parametrize("tunnel", ["openssh", "sshtunnel"])
def test_after_a_sleep_the_first_command_just_works(
    home: Sandbox, world: SshWorld, tunnel: str
) -> None:
    with new_laptop(home, world, MLQ_TUNNEL=tunnel) as laptop:
        laptop.ok("ls")
        laptop.gate.wire.forget()  # its address changed: what was connected will never answer
        began_s = time.monotonic()
        done = laptop.run("ls")
        assert time.monotonic() - began_s < 20
        assert done.code == 0, done
        # No more is said than that it takes a moment.
        assert done.err.count("\n") <= 1
        assert done.err == "" or "has not answered for 2 s" in done.err


def test_a_python_program_uses_the_same_tunnel(laptop: Laptop) -> None:
    laptop.ok("ls")
    queue = Queue.connect(laptop.environ)
    assert queue.store.client.call("PING")
    assert len(laptop.keepers) == 1


def test_two_queues_have_two_tunnels(laptop: Laptop) -> None:
    laptop.ok("ls")
    laptop.ok("ls", environ={"MLQ_GATEWAY": ""})
    assert len(laptop.keepers) == 2


def test_no_secret_is_in_what_a_keeper_shows_or_writes(laptop: Laptop) -> None:
    laptop.ok("ls")
    password = (laptop.folder / "config/mlq/redis.password").read_text().strip()
    key = (laptop.folder / "config/mlq/signing.key").read_text().strip()
    shown = [*laptop.shells]
    for pid in laptop.keepers:
        shown += [Path(f"/proc/{pid}/{name}").read_text() for name in ("cmdline", "environ")]
    shown += [path.read_text() for path in laptop.place.iterdir() if path.is_file()]
    assert not [one for one in shown if password in one or key in one]


def test_what_a_cleaner_takes_is_made_anew(laptop: Laptop, home: Sandbox) -> None:
    """Socket, locks and folder go; commands that come meanwhile wait, and those that run stay."""
    job = home.submit("true")
    with laptop.started("wait", job) as waiting:
        wait_for(lambda: laptop.keepers and (laptop.place / "sock").exists(), what="a keeper")
        (keeper,) = laptop.keepers
        for path in laptop.place.iterdir():
            path.unlink()
        laptop.ok("ls")
        shutil.rmtree(laptop.place.parent)
        laptop.ok("ls")
        assert laptop.keepers == [keeper]
        assert (laptop.place / "lock").exists()
        home.ok("cancel", job)
        waiting.wait(20)


def test_a_command_is_not_cut_off_by_a_cleaner(home: Sandbox, world: SshWorld) -> None:
    """The lock by which a command shows that it uses the tunnel counts although it was deleted."""
    with new_laptop(home, world, MLQ_TUNNEL_IDLE_S="1") as laptop:
        job = home.submit("true")
        with laptop.started("wait", job) as waiting:
            wait_for(lambda: laptop.keepers, what="a keeper")
            wait_for((laptop.place / "sock").exists, what="its socket")
            (keeper,) = laptop.keepers
            (laptop.place / "use").unlink()
            used_s = time.monotonic()
            wait_for(lambda: time.monotonic() - used_s > 3, what="three times the idle time")
            assert laptop.keepers == [keeper]
            home.ok("cancel", job)
            waiting.wait(20)
        laptop.until_left()
