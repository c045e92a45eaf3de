"""A job that forks without end is held, and ended whole, and nobody else is kept from working."""

from __future__ import annotations

import pytest
from waiting import wait_for

from desk.conftest import Figure
from desk.image import PEOPLE
from desk.lab import USER, Lab
from desk.vm import Vm

OTHER = next(name for name in PEOPLE if name != USER)
# Each one forks as fast as it can; whoever finds no room for a child ends, and others fork anew.
BOMB = ("sh", "-c", "bomb() { while :; do bomb & done; }; bomb 2>/dev/null & exec sleep 3600")
SLICE = f"/sys/fs/cgroup/user.slice/user-{PEOPLE[USER]}.slice"


def processes(vm: Vm) -> tuple[int, int]:
    """Return how many processes its user has, and how many systemd lets there be."""
    has, most = vm.run(["cat", f"{SLICE}/pids.current", f"{SLICE}/pids.max"]).split()
    return int(has), int(most)


@pytest.mark.parametrize("linger", [True, False], ids=["cgroup", "looks"])
def test_a_fork_bomb(lab: Lab, vm: Vm, figure: Figure, linger: bool) -> None:
    vm.run(["loginctl", f"{'en' if linger else 'dis'}able-linger", USER])
    lab.use_worker(reserve_mem_mib=66 + linger)  # another worker, that looks at linger anew
    job = lab.enqueue("-c", "1", "-m", "1G", "--grace", "2s", "--", *BOMB)
    if linger:
        refused = f"grep -L 'max 0' {SLICE}/*/app.slice/mlq-*/job-*/pids.events"
        wait_for(lambda: vm.try_run(["sh", "-c", refused]).out, 300, "the kernel to refuse a fork")
        has, most = processes(vm)
        assert has < 0.6 * most  # its user has room left
    else:
        wait_for(lambda: processes(vm)[0] > 0.9 * processes(vm)[1], 300, "its user's last process")
    assert vm.run(["sh", "-c", "echo still | tr a-z A-Z"], OTHER) == "STILL\n"
    before_s = lab.uptime_s()
    # Where its user has no process left, not even a shell, it is tried again.
    wait_for(lambda: lab.mlq("cancel", job, check=False).code == 0, 300, "somebody to cancel it")
    wait_for(lambda: processes(vm)[0] < 100, 300, "its processes to be gone")
    took_s = lab.uptime_s() - before_s
    how = "cgroup" if linger else "looks"
    figure(f"fork bomb, from cancel to its end, {how}", f"{took_s:.1f} s", "2 s of grace")
    lab.until(job, state="canceled")
    assert vm.run(["loginctl", "enable-linger", USER]) == ""
