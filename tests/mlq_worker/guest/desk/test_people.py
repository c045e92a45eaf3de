"""Who is active by ssh: by when their terminals were read."""

from __future__ import annotations

import os
import pty
import time
from pathlib import Path

import pytest
from waiting import wait_for

from mlq_worker.guest.desk.desk import DeskState
from mlq_worker.guest.desk.people import ACTIVE_S, People, Terminal, anybody_active, read_terminals

US, OTHER, ROOT = 1000, 1001, 0
UTC = 1.7e9


def looked(uid: int, age_s: float) -> frozenset[int]:
    return People(US).look({"0": Terminal(uid, UTC - age_s)}, 5000, UTC)


@pytest.mark.parametrize(
    ("uid", "age_s", "active"),
    [
        (OTHER, 0, {OTHER}),
        (OTHER, ACTIVE_S - 1, {OTHER}),
        (OTHER, ACTIVE_S + 1, set()),
        (US, 0, set()),
        (ROOT, 10, {ROOT}),
        (OTHER, -8, {OTHER}),
        (OTHER, -7200, {OTHER}),
    ],
)
def test_first_look(uid: int, age_s: float, active: set[int]) -> None:
    assert looked(uid, age_s) == active


def test_active_until_15_minutes_after_the_last_key() -> None:
    people = People(US)
    assert not people.look({}, 5000, UTC)
    assert people.look({"3": Terminal(OTHER, UTC)}, 5010, UTC) == {OTHER}, "a login"
    assert people.look({"3": Terminal(OTHER, UTC)}, 5010 + ACTIVE_S, UTC) == set()
    assert people.look({"3": Terminal(OTHER, UTC + 8)}, 9000, UTC) == {OTHER}
    assert people.look({}, 9001, UTC) == set(), "a logout"


@pytest.mark.parametrize("jump_s", [-7200, 7200])
def test_a_clock_that_jumps(jump_s: float) -> None:
    people = People(US)
    still = {"3": Terminal(OTHER, UTC - 2 * ACTIVE_S), "4": Terminal(US, UTC)}
    assert people.look(still, 5000, UTC) == set()
    assert people.look(still, 5001, UTC + jump_s) == set()
    typed = {"3": Terminal(OTHER, UTC + jump_s)}
    assert people.look(typed, 5002, UTC + jump_s) == {OTHER}
    assert people.look(typed, 5002 + ACTIVE_S, UTC) == set()


def test_a_look_after_hours() -> None:
    people = People(US)
    people.look({"3": Terminal(OTHER, UTC - 9000)}, 5000, UTC)
    long_ago = {"3": Terminal(OTHER, UTC + 100)}
    assert people.look(long_ago, 5000 + 7200, UTC + 7200) == set()
    assert people.look({"3": Terminal(OTHER, UTC + 7199)}, 5000 + 14400, UTC + 7200) == {OTHER}


def test_a_terminal_that_changes_hands() -> None:
    people = People(US)
    people.look({"0": Terminal(US, UTC)}, 5000, UTC)
    assert people.look({"0": Terminal(OTHER, UTC)}, 5001, UTC) == {OTHER}


def test_several_people() -> None:
    terminals = {"0": Terminal(OTHER, UTC), "1": Terminal(1002, UTC), "2": Terminal(OTHER, UTC)}
    assert People(US).look(terminals, 5000, UTC) == {OTHER, 1002}


def test_at_the_desk_or_by_ssh() -> None:
    nobody: frozenset[int] = frozenset()
    touched = DeskState(exists=True, touched_at=1000.0)
    assert anybody_active(frozenset({OTHER}), DeskState(), 1000)
    assert anybody_active(nobody, touched, 1000 + ACTIVE_S - 1)
    assert not anybody_active(nobody, touched, 1000 + ACTIVE_S)
    assert not anybody_active(nobody, DeskState(exists=True), 1000)


def test_a_real_terminal() -> None:
    """A shell's reading moves the time of its terminal; what is written to it does not."""
    typist, shell = pty.openpty()
    try:
        name = os.ttyname(shell).rpartition("/")[2]
        os.utime(shell, (UTC, UTC))
        os.write(shell, b"output\n")
        assert os.read(typist, 100)
        assert read_terminals()[name] == Terminal(os.getuid(), UTC)
        os.write(typist, b"key\n")
        assert os.read(shell, 100) == b"key\n"
        wait_for(lambda: time.time() - read_terminals()[name].read_at < 16, 10)
    finally:
        os.close(typist)
        os.close(shell)


def test_no_terminals(tmp_path: Path) -> None:
    assert read_terminals(str(tmp_path)) == {}
