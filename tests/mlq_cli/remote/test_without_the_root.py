"""A laptop that does not mount the results root: logs and folders are looked at over ssh."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator

import pytest
from ci import require
from laptop import Laptop, new_laptop
from sandbox import Sandbox, new_sandbox
from ssh_world import new_ssh_world
from waiting import wait_for

from mlq.jobs.lifecycle import Event

pytestmark = [pytest.mark.one_server, pytest.mark.slow]


@pytest.fixture
def home() -> Iterator[Sandbox]:
    """The queue's own host, where the root is."""
    with new_sandbox() as home:
        home.start_server()
        (home.folder / "root" / "queue.json").write_text('{"queue": "q", "format": 1}')
        yield home


@pytest.fixture(params=["openssh", "sshtunnel"])
def laptop(request: pytest.FixtureRequest, home: Sandbox) -> Iterator[Laptop]:
    """A laptop in whose view of the files there is another, empty folder in the root's place."""
    require(os.geteuid() == 0, "needs root, to hide the results root from a process")
    with new_ssh_world() as world, new_laptop(home, world, MLQ_TUNNEL=request.param) as laptop:
        hidden = shlex.quote(str(home.folder / "root"))
        program = laptop.folder / "mlq"
        program.write_text(
            "#!/bin/sh\n"
            f"exec unshare -m sh -c 'mount -t tmpfs none {hidden} && exec \"$@\"' sh"
            f' {laptop.program} "$@"\n'
        )
        program.chmod(0o700)
        laptop.program = program
        yield laptop


def test_a_log_is_read_where_it_lies(home: Sandbox, laptop: Laptop) -> None:
    everything = bytes(range(256)) * 4096
    number = home.submit()
    home.claim(number, log=everything)
    assert laptop.run("ls").code == 0
    with laptop.started("logs", number) as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err, out == everything) == (0, b"", True)


def test_it_is_followed_to_the_end_of_the_job_though_the_connection_breaks(
    home: Sandbox, laptop: Laptop
) -> None:
    number = home.submit()
    home.claim(number, log=b"one\n")
    shown = laptop.folder / "shown"
    with shown.open("wb") as out, laptop.started("logs", "-f", number, stdout=out) as process:
        wait_for(lambda: shown.read_bytes() == b"one\n", what="the log")
        home.write_log(number, 1, b"two\n")
        wait_for(lambda: shown.read_bytes() == b"one\ntwo\n", what="more of it")
        laptop.gate.wire.drop_all()
        home.write_log(number, 1, b"three\n")
        wait_for(lambda: shown.read_bytes() == b"one\ntwo\nthree\n", what="more, on a new one")
        home.move(number, Event.SUCCEED, mlq_exit_code=0)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert err.decode().endswith(f"mlq: {number} finished\n")
    assert shown.read_bytes() == b"one\ntwo\nthree\n"


def test_what_is_no_log_is_refused_there_too(home: Sandbox, laptop: Laptop) -> None:
    number = home.submit()
    home.claim(number, log=None)
    log = home.queue().layout.log_file(number, 1)
    assert laptop.run("logs", number).err.startswith(f"mlq: no log of {number}: ")
    log.parent.mkdir(parents=True)
    os.mkfifo(log)
    done = laptop.run("logs", number)
    assert (done.code, done.out) == (1, "")
    assert done.err == f"mlq: cannot show {log}: it is a named pipe\n"


def test_it_is_said_where_the_root_is_not_either(home: Sandbox, laptop: Laptop) -> None:
    number = home.submit()
    home.claim(number, log=b"x")
    done = laptop.run("logs", number, environ={"MLQ_ROOT": "/nonexistent/root"})
    assert done.code == 1
    assert "/nonexistent/root is neither here nor on queue" in done.err


def test_show_and_retry_need_no_root(home: Sandbox, laptop: Laptop) -> None:
    number = home.submit()
    home.claim(number, log=b"x")
    home.move(number, Event.FAIL, mlq_exit_code=3, mlq_reason="exit 3")
    assert "exit 3" in laptop.ok("show", number)
    laptop.ok("retry", number)
    assert home.queue().views([number])[0].state == "queued"


def test_a_folder_that_the_queues_host_lacks_is_said_at_enqueue(
    home: Sandbox, laptop: Laptop
) -> None:
    there = home.folder / "data"
    assert laptop.ok("enqueue", "--cwd", str(there), "true").strip().isdecimal()
    if laptop.environ["MLQ_TUNNEL"] == "sshtunnel":
        return  # no connection of it can be had for a question, and a new one would take too long
    done = laptop.run("enqueue", "--cwd", "/home/me/laptop only", "true")
    assert done.code == 0
    assert "queue has no folder /home/me/laptop only;" in done.err
