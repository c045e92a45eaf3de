"""The laptop's own network fails, sleeps or moves, while its background tunnel is up."""

from __future__ import annotations

import time

import pytest
from campus import Campus
from waiting import wait_for

AT_ONCE_S = 30.0  # for a dead connection to be noticed, and a new one made


def sshd_sessions(campus: Campus) -> list[int]:
    """Return the connections that the sshd of the queue's host serves for the user."""
    lines = campus.queue.processes().items()
    return [pid for pid, line in lines if line.startswith("sshd: researcher")]


@pytest.fixture
def laptop(campus: Campus) -> Campus:
    """The lab, with the laptop's tunnel up."""
    campus.ok("ls")
    return campus


@pytest.mark.lab
def test_ls_without_a_network_says_so_once(laptop: Campus) -> None:
    laptop.laptop.cut()
    done = laptop.mlq("ls")
    assert done.code != 0
    assert "Traceback" not in done.err
    assert done.err.count("queue") >= 1
    laptop.laptop.heal()
    began_s = time.monotonic()
    laptop.ok("ls")
    assert time.monotonic() - began_s < AT_ONCE_S


@pytest.mark.lab
def test_a_laptop_that_slept_until_the_connection_was_dropped(laptop: Campus) -> None:
    before = set(sshd_sessions(laptop))
    laptop.laptop.freeze()
    wait_for(lambda: set(sshd_sessions(laptop)) < before, 60, "sshd to give the laptop up")
    laptop.laptop.thaw()
    began_s = time.monotonic()
    assert "MACHINE" in laptop.ok("machines")
    assert time.monotonic() - began_s < AT_ONCE_S


@pytest.mark.lab
def test_a_vpn_that_gives_the_laptop_another_address(laptop: Campus) -> None:
    laptop.laptop.cable.move(99)
    began_s = time.monotonic()
    assert "MACHINE" in laptop.ok("machines")
    assert time.monotonic() - began_s < AT_ONCE_S
