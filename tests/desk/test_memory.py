"""A job gets the memory it asked for; what the machine lacks is taken from jobs, not people."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from waiting import wait_for

from desk.image import PEOPLE
from desk.lab import USER, Lab
from desk.vm import Vm

OTHER = next(name for name in PEOPLE if name != USER)
HOG = ("/usr/bin/python3", "/usr/local/lib/hog.py")


@pytest.mark.parametrize("linger", [True, False], ids=["linger", "no linger"])
def test_who_takes_more_than_it_asked_for(lab: Lab, vm: Vm, linger: bool) -> None:
    vm.run(["loginctl", f"{'en' if linger else 'dis'}able-linger", USER])
    lab.use_worker(reserve_mem_mib=64 + linger)  # another worker, that looks at linger anew
    job = lab.enqueue("-m", "200M", "--", *HOG, "600", "60")
    view = lab.until(job, state="failed")
    assert "of the 200M of memory it asked for" in view["reason"], view
    how = "cgroup: the kernel holds" if linger else "looks, once a second"
    assert how in lab.mlq("doctor", check=False).out
    assert vm.run(["loginctl", "enable-linger", USER]) == ""


@contextmanager
def desktop_program(vm: Vm, mib: int) -> Iterator[subprocess.Popen[str]]:
    """Run a program of somebody else that holds so much memory, until it is told to end."""
    program = vm.start([*HOG, str(mib), "3600"], OTHER)
    assert program.stdout
    assert program.stdout.readline() == "held\n"
    try:
        yield program
    finally:
        vm.try_run(["pkill", "-u", OTHER, "-f", "hog.py"])
        program.wait(60)


def test_the_kernel_takes_the_job_and_the_desks_program_lives(lab: Lab, vm: Vm) -> None:
    # With no reserve, only the kernel itself comes to the rescue.
    lab.use_worker(reserve_mem_mib=0)
    vm.run(["dmesg", "--clear"])
    job = lab.enqueue("-m", "400M", "--", *HOG, "300", "3600")
    lab.until(job, state="started")
    wait_for(lambda: lab.mlq("logs", job).out == "held\n", 120, "the job to hold its memory")
    with desktop_program(vm, 700), desktop_program(vm, 700):
        killed = vm.run(["dmesg"])
        assert "oom_score_adj:1000" in killed
        view = lab.until(job, state="queued")
        assert view["failures"] == 0
        assert "handed back: lab07 ran out of memory" in lab.mlq("show", job).out
        assert vm.run(["pgrep", "-u", OTHER, "-c", "-f", "hog.py"]).strip() != "0"


def test_the_reserve_is_kept_for_others(lab: Lab, vm: Vm) -> None:
    lab.use_worker(reserve_mem_mib=500)
    job = lab.enqueue("-m", "400M", "--grace", "2s", "--", *HOG, "300", "3600")
    lab.until(job, state="started")
    with desktop_program(vm, 900):
        view = lab.until(job, state="queued")
        assert (view["failures"], view["losses"]) == (0, 0)
        assert "handed back" in lab.mlq("show", job).out
