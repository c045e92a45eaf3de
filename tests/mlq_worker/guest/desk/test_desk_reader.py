"""Looks at a recorded machine, and what the desk makes of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from recorded_desk import RecordedDesk

from mlq_worker.guest.desk.desk import Desk, DeskState, Session
from mlq_worker.guest.desk.desk_reader import ALL_CONSOLES_S, DeskReader
from mlq_worker.guest.desk.device import SETTLE_S

US, OWNER = 1000, 1001


class Watched:
    """A recorded machine that is looked at every second."""

    def __init__(self, root: Path, machine: str) -> None:
        self.machine = RecordedDesk(root, machine)
        self.reader = self.machine.reader()
        self.desk = Desk(US)
        self.at = 0.0

    def looks(self, count: int = 1) -> DeskState:
        for _ in range(count):
            self.at += 1
            state = self.desk.look(self.reader.look(self.at), self.at)
        return state


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_one_look(tmp_path: Path) -> None:
    machine = RecordedDesk(tmp_path, "desktop")
    machine.seat("c1", 120, "greeter")
    look = machine.reader().look(0)
    assert (look.seat, look.active, look.hidden) == (True, Session(120, "greeter"), False)
    assert set(look.consoles) == {f"tty{n}" for n in range(1, 64)}
    assert look.consoles["tty7"] == 1.7e9
    assert look.counters["Logitech USB Optical Mouse (USB 1-4)"] == 1020


def test_an_evening_at_a_desktop(tmp_path: Path) -> None:
    watched = Watched(tmp_path, "desktop")
    watched.machine.seat("c1", 120, "greeter")
    assert watched.looks(10) == DeskState(exists=True, how="counters")
    watched.machine.transfer("1-3", 4)
    assert watched.looks().touched_at == watched.at
    watched.machine.seat("2", OWNER)
    assert watched.looks().seated_uid == OWNER
    touched = watched.at
    assert watched.looks(60).touched_at == touched
    watched.machine.transfer("1-4", 200)
    assert watched.looks().touched_at == watched.at
    touched = watched.at
    watched.machine.seat("c3", 120, "greeter")
    assert watched.looks(60) == DeskState(exists=True, touched_at=touched, how="counters")


def test_our_own_desk(tmp_path: Path) -> None:
    watched = Watched(tmp_path, "laptop")
    watched.machine.seat("2", US)
    watched.looks(5)
    watched.machine.interrupt(1, 40)
    watched.machine.interrupt(137, 400)
    state = watched.looks()
    assert (state.touched_at, state.seated_uid, state.somebody) == (None, US, False)


def test_a_text_console(tmp_path: Path) -> None:
    watched = Watched(tmp_path, "server")
    watched.machine.seat()
    assert not watched.looks(5).exists
    watched.machine.read_tty(2, 1.7e9 + 16)
    state = watched.looks()
    assert (state.exists, state.touched_at) == (True, watched.at)


def test_the_console_in_front(tmp_path: Path) -> None:
    watched = Watched(tmp_path, "server")
    watched.machine.show_console(2)
    watched.looks(2)
    watched.machine.read_tty(2, 1.7e9 + 16)
    assert watched.looks().touched_at == watched.at
    watched.machine.read_tty(2, 1.7e9 + 24)
    watched.machine.show_console(3)
    assert watched.looks().touched_at == watched.at, "read just before another came to the front"
    watched.machine.read_tty(3, 1.7e9 + 32)
    assert watched.looks().touched_at == watched.at
    touched = watched.at
    watched.machine.read_tty(9, 1.7e9 + 40)
    assert touched < (watched.looks(round(ALL_CONSOLES_S)).touched_at or 0)


@pytest.mark.parametrize("content", [b"", b"\n", b"tty\n", b"../pts/0\n", b"\xff" * 100])
def test_no_console_in_front(tmp_path: Path, content: bytes) -> None:
    watched = Watched(tmp_path, "server")
    watched.machine.show_console(1)
    (tmp_path / "sys/class/tty/tty0/active").write_bytes(content)
    watched.looks(2)
    watched.machine.read_tty(5, 1.7e9 + 16)
    assert watched.looks(round(ALL_CONSOLES_S)).exists


def test_a_keyboard_that_comes_and_goes(tmp_path: Path) -> None:
    watched = Watched(tmp_path, "desktop")
    watched.looks(5)
    before = open_files()
    for urbnum in (30, 500, 12):
        watched.machine.plug_in("Cherry", "1-6", urbnum)
        watched.looks()
        watched.machine.transfer("1-6", 9)
        assert watched.looks(round(SETTLE_S) + 1).touched_at is None
        watched.machine.unplug("1-6")
        assert watched.looks(2).touched_at is None
    assert open_files() == before
    watched.reader.close()
    assert open_files() < before


def test_a_counter_that_fails_for_a_moment(tmp_path: Path) -> None:
    watched = Watched(tmp_path, "desktop")
    watched.looks(5)
    (counter,) = tmp_path.rglob("1-3/urbnum")
    counter.write_text("")
    assert watched.looks().touched_at is None
    counter.write_text("1020\n")
    watched.looks(round(SETTLE_S) + 2)
    counter.write_text("1021\n")
    assert watched.looks().touched_at == watched.at


def test_hidden_keyboard(tmp_path: Path) -> None:
    watched = Watched(tmp_path, "surface")
    watched.machine.seat("2", OWNER)
    state = watched.looks(60)
    assert (state.touched_at, state.how) == (watched.at, "sessions")


def test_nothing_can_be_read(tmp_path: Path) -> None:
    machine = RecordedDesk(tmp_path / "other", "server")
    reader = DeskReader(*3 * [str(tmp_path / "none")], seat=machine.reader()._seat)
    look = reader.look(0)
    assert (look.counters, look.consoles, look.seat, look.hidden) == ({}, {}, False, True)
    assert Desk(US).look(look, 0) == DeskState()


def test_this_machine() -> None:
    reader = DeskReader()
    state = Desk(os.getuid()).look(reader.look(0), 0)
    assert (state.how == "nothing") == (not state.exists)
    reader.close()
