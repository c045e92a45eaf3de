"""Anybody at all switches mlq off: jobs pause within two seconds, and are handed back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from debian_tree import MLQ

from desk.conftest import Figure
from desk.image import PEOPLE
from desk.lab import USER, Lab
from desk.vm import Vm

# Figures are reported beside the 2 s that are promised of a real machine; an emulated one that
# shares two cores with other tests is several times slower.
STOPPED_S = 4.0
OTHER, THIRD = [name for name in PEOPLE if name != USER]
OFF = "/tmp/mlq-off"


@pytest.fixture
def job(lab: Lab, vm: Vm) -> Iterator[str]:
    """A job that ticks; nothing is switched off before and after."""
    lab.use_worker()
    yield lab.ticker()
    vm.shell(f"rm -rf {OFF}*")
    lab.cancel_all()


def test_a_file_of_somebody_without_mlq(vm: Vm, lab: Lab, job: str, figure: Figure) -> None:
    took_s = lab.stopped_after(lambda: vm.run(["touch", OFF], THIRD), OFF)
    figure("touch /tmp/mlq-off to all processes stopped", f"{took_s:.2f} s", "2 s")
    assert took_s <= STOPPED_S
    view = lab.until(job, paused_by=["off"])
    assert view["restraint"].startswith(f"paused: off by {THIRD} until ")
    vm.run(["rm", OFF], THIRD)
    lab.until_runs()
    assert lab.view(job)["attempt"] == 1


def test_the_command_of_somebody_else(vm: Vm, lab: Lab, job: str, figure: Figure) -> None:
    took_s = lab.stopped_after(
        lambda: vm.run([str(MLQ), "off", "--for", "4h", "demo at noon"], OTHER), f"{OFF}*"
    )
    figure("mlq off to all processes stopped", f"{took_s:.2f} s", "2 s")
    assert took_s <= STOPPED_S
    view = lab.until(job, state="queued")
    assert (view["attempt"], view["failures"], view["losses"]) == (1, 0, 0)
    assert "handed back" in lab.mlq("show", job).out
    assert OTHER in " ".join(lab.machine()["guest_notes"])
    assert lab.ticking() == 0
    vm.run([str(MLQ), "on"], OTHER)
    lab.until(job, state="started", attempt=2)
    lab.until_runs()


def test_ps_says_how(vm: Vm, lab: Lab, job: str) -> None:
    shown = vm.run(["ps", "-eo", "comm,args"], THIRD)
    (line,) = [one for one in shown.splitlines() if one.startswith("mlq-guest ")]
    assert line.endswith(f"guest of {USER}; to stop its jobs: touch {OFF}")
