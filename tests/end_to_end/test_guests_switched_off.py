"""Anybody switches mlq off on a machine, with whatever comes to hand; its user changes its mode.

One job pauses and goes on through all of it. What follows after a minute is in `test_switched_off`.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from everybodys_mlq import copy_mlq
from local_lab import Lab
from people import Person, strangers
from supervising import is_stopped
from waiting import wait_for
from watched_machine import WatchedMachine

pytestmark = [pytest.mark.slow, pytest.mark.root]

SETTINGS = {"MLQ_DESK_RESUME_S": "3", "MLQ_DESK_IDLE_S": "4"}
WORKS = "echo $$ > job; until [ -e gate ]; do sleep 0.1; done"


class World:
    """A machine with a job, and a stranger."""

    def __init__(self, lab: Lab, stranger: Person) -> None:
        self.lab, self.stranger = lab, stranger
        self.shared = Path(lab.environ["MLQ_SHARED_DIR"])
        self.shared.chmod(0o1777)
        lab.folder.chmod(0o711)
        self.switch = self.shared / "mlq-off"
        self.machine = WatchedMachine(lab, "lab07")
        self.machine.start()
        self.job = lab.sh(WORKS)
        self.pid = lab.pid("job")

    def until_paused(self, reason: str = "off") -> None:
        wait_for(lambda: is_stopped(self.pid), what="the pause")
        wait_for(lambda: self.machine.seen(self.job)["paused_by"][:1] == [reason], what="the news")

    def until_running(self) -> None:
        wait_for(lambda: not is_stopped(self.pid), what="the end of the pause")
        wait_for(lambda: not self.machine.seen(self.job)["paused_by"], what="the news")

    def end(self) -> None:
        """Let the job end; nothing of this has cost it anything."""
        self.lab.open("gate")
        ended = self.lab.until(self.job, "finished")
        assert (ended.attempt, ended.losses, ended.failures) == (1, 0, 0)


@pytest.fixture
def world(lab: Lab) -> World:
    stranger, _ = strangers()
    return World(lab, stranger)


@pytest.fixture
def everybodys() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="mlq-all-") as folder:
        Path(folder).chmod(0o755)
        yield copy_mlq(Path(folder) / "venv")


def test_by_another_users_mlq(world: World, everybodys: Path) -> None:
    environ = {"MLQ_SHARED_DIR": str(world.shared), "PATH": os.environ["PATH"], "HOME": "/"}
    until = datetime.now().astimezone() + timedelta(hours=4)
    words = ["off", "--for", "4h", "demo at noon"]
    done = world.stranger.run([everybodys, *words], env=environ)
    assert (done.returncode, done.stderr) == (0, "")
    world.until_paused()
    said = f"off by {world.stranger.uid} until "
    for shown in (
        world.lab.sandbox.ok("ls"),
        world.lab.sandbox.ok("show", world.job),
        world.lab.sandbox.ok("explain", world.job),
    ):
        assert f"paused: {said}" in shown
    note = world.lab.until_shown("lab07", lambda row: row["guest_closed"])
    assert re.fullmatch(rf"{said}\d\d:\d\d: demo at noon", note)
    shown_at = datetime.strptime(note[len(said) :][:5], "%H:%M").time()
    near = {(until + timedelta(minutes=by)).strftime("%H:%M") for by in (-1, 0, 1)}
    assert shown_at.strftime("%H:%M") in near
    done = world.stranger.run([everybodys, "on"], env=environ)
    assert (done.returncode, done.stderr) == (0, "")
    world.until_running()
    world.end()


def test_by_whatever_has_that_name(world: World) -> None:
    switch = str(world.switch)
    for make, remove in (
        (["mkdir", switch], ["rmdir", switch]),
        (["mkfifo", switch], ["rm", switch]),
        (["ln", "-s", "/nowhere", switch], ["rm", switch]),
        (["ln", "-s", "/dev/zero", switch], ["rm", switch]),
    ):
        assert world.stranger.run(make).returncode == 0
        world.until_paused()
        assert world.stranger.run(remove).returncode == 0
        world.until_running()
    world.end()


def test_no_text_of_it_drives_a_terminal(world: World) -> None:
    world.switch.write_bytes(b"2h\n\x1b[31mred\x07 \xc2\x9b2J \xe2\x80\xaeback\r\n\x00 \xff noon")
    world.stranger.own(world.switch)
    world.until_paused()
    sandbox = world.lab.sandbox
    for words in (("ls",), ("machines",), ("show", world.job), ("explain", world.job)):
        check_clean(sandbox.on_terminal(*words, columns=300).out)
    check_clean(sandbox.run("doctor").out)  # on a terminal it has lines to take back
    assert "noon" in sandbox.ok("machines")
    world.switch.unlink()
    world.until_running()
    world.end()


def check_clean(text: str) -> None:
    """Check that there is nothing in it for a terminal but colours of ours."""
    bare = re.sub(r"\x1b\[[\d;]*m", "", text.replace("\x1b[31mred", "BAD"))
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]|BAD", bare), bare


def test_a_new_worker_brings_new_manners_to_the_same_supervisor(world: World) -> None:
    machine, supervisor = world.machine, world.machine.machine.pid("supervisor")
    soon = datetime.now().astimezone() + timedelta(hours=3)
    machine.restart(MLQ_GUEST="night", MLQ_HOURS=f"{soon:%H}:00-{soon:%H}:30")
    world.until_paused("hours")
    waits = world.lab.sandbox.submit("true")
    for words in (("ls",), ("explain", world.job), ("explain", waits), ("machines",)):
        assert "outside hours" in world.lab.sandbox.ok(*words)
    assert f"outside hours until {soon:%H}:00" in world.lab.sandbox.ok("machines")
    early = datetime.now().astimezone() - timedelta(hours=2)
    machine.restart(MLQ_HOURS=f"{early:%H}:00-{soon:%H}:30")
    world.until_running()
    world.lab.until(waits, "finished")
    machine.restart(MLQ_GUEST="mine")
    (world.shared / "mlq-off").touch()
    world.until_paused()  # our own
    world.switch.unlink()
    world.until_running()
    assert world.stranger.run(["touch", str(world.switch)]).returncode == 0
    machine.press_key()
    world.lab.until(world.lab.sandbox.submit("true"), "finished")
    assert not is_stopped(world.pid)
    machine.restart(MLQ_GUEST="polite")
    world.until_paused()
    world.switch.unlink()
    world.until_running()
    assert machine.machine.pid("supervisor") == supervisor
    world.end()
