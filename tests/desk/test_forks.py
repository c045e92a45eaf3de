"""A job that forks without end is held, and ended whole, and nobody else is kept from working."""

from __future__ import annotations

from waiting import wait_for

from desk.conftest import Figure
from desk.image import PEOPLE
from desk.lab import USER, Lab
from desk.vm import Vm

OTHER = next(name for name in PEOPLE if name != USER)
# Each one forks as fast as it can; whoever finds no room for a child ends, and others fork anew.
BOMB = ("sh", "-c", "bomb() { while :; do bomb & done; }; bomb 2>/dev/null & exec sleep 3600")
_MOST = 4096


def of_bomb(vm: Vm) -> int:
    """Return how many of its processes there are."""
    return int(vm.try_run(["pgrep", "-u", USER, "-x", "-c", "sh"]).out or 0)


def reached(vm: Vm) -> int:
    """Return how often the kernel refused its cgroup one more process."""
    told = vm.shell("cat /sys/fs/cgroup/user.slice/*/*/app.slice/mlq-*/job-*/pids.events")
    return int(told.split()[1])


def test_only_so_many_processes(lab: Lab, vm: Vm, figure: Figure) -> None:
    lab.use_worker(reserve_mem_mib=66)
    job = lab.enqueue("-c", "1", "-m", "1200M", "--grace", "2s", "--", *BOMB)
    wait_for(lambda: reached(vm) > 0, 300, "it to have all the processes that it may")
    assert of_bomb(vm) <= _MOST
    assert vm.run(["sh", "-c", "echo still | tr a-z A-Z"], OTHER) == "STILL\n"
    before = lab.uptime_s()
    lab.mlq("cancel", job)
    lab.until(job, state="canceled")
    figure("fork bomb, from cancel to nothing left", f"{lab.uptime_s() - before:.1f} s", "-")
    assert of_bomb(vm) == 0
