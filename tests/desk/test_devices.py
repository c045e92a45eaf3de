"""Keyboards and mice that come, go, or count by themselves: whose moves nobody made."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from waiting import wait_for

from desk.conftest import Figure
from desk.lab import Lab
from desk.seat import Seat
from desk.vm import Vm

CHATTERS_FOR_S = 600


@pytest.fixture
def job(lab: Lab) -> Iterator[str]:
    """A job that ticks; it is not handed back while a mouse chatters."""
    lab.use_worker(desk_evict_s=3600)
    yield lab.ticker()
    lab.cancel_all()


def test_plugging_in_and_out_is_no_touch(vm: Vm, lab: Lab, job: str) -> None:
    for device in ("usb-kbd", "usb-mouse"):
        lab.until_runs()
        with lab.never_still(10):  # the kernel suspends it meanwhile, which it counts
            vm.hands.plug_in(device, "second")
        with lab.never_still(5):
            vm.hands.unplug("second")
    assert lab.view(job)["paused_by"] == []


def test_a_login_screen_that_comes_up_is_no_touch(vm: Vm, seat: Seat, lab: Lab, job: str) -> None:
    seat.until("greeter")
    lab.until_runs()
    with lab.never_still(30):
        vm.run(["systemctl", "restart", "lightdm"])
    assert lab.view(job)["paused_by"] == []


@contextmanager
def chattering(vm: Vm) -> Iterator[None]:
    """Let the mouse count in every look, as a worn-out one does."""
    ended = threading.Event()

    def chatter() -> None:
        right = 1
        while not ended.wait(0.3):
            vm.hands.move(right)
            right = -right

    thread = threading.Thread(target=chatter)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def test_a_mouse_that_chatters_is_ignored_and_named(
    vm: Vm, lab: Lab, job: str, figure: Figure
) -> None:
    lab.until_runs()
    before_s = lab.uptime_s()
    with chattering(vm):
        lab.until(job, paused_by=["desk"])
        lab.until(job, CHATTERS_FOR_S * 2, paused_by=[])
        took_s = lab.uptime_s() - before_s
        figure("a chattering mouse is ignored after", f"{took_s:.0f} s", f"{CHATTERS_FOR_S} s")
        assert took_s >= CHATTERS_FOR_S
        # Told at the next beat.
        named = "lab07: counts without being touched, which is ignored"
        wait_for(lambda: named in lab.mlq("doctor", check=False).out, what="doctor to name it")
    # Before it is listened to again: it has to be quiet for a minute.
    lab.until_runs()
