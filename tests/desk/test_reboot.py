"""After a reboot jobs go on by themselves: a login screen that comes up is nobody at the desk."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from desk.conftest import Figure
from desk.lab import Lab
from desk.seat import Seat
from desk.vm import Vm

QUIET_S = 900  # the default: longer than this test


@pytest.fixture
def installed(lab: Lab) -> Iterator[Lab]:
    """A worker that systemd starts at each boot, with a quarter of an hour of patience."""
    lab.stop_all()
    lab.configure(desk_idle_s=QUIET_S)
    lab.mlq("server", "start")
    lab.mlq("worker", "install", "--gpus", "none")
    yield lab
    lab.cancel_all()
    lab.mlq("worker", "uninstall", check=False)
    lab.stop_all()
    lab.configure()
    lab.mlq("server", "start")


def test_jobs_go_on_after_a_reboot(installed: Lab, vm: Vm, seat: Seat, figure: Figure) -> None:
    job = installed.enqueue("--", "/usr/bin/sleep", "3600")
    installed.until(job, 300, state="started")
    vm.reboot()
    installed.mlq("server", "start")  # it ran on this machine, too
    seat.until("greeter")
    installed.until(job, 300, state="started", attempt=2)
    up_s = installed.uptime_s()
    figure("a job runs again after a reboot, emulated", f"{up_s:.0f} s from the boot", "")
    assert up_s < QUIET_S
