"""Others get room: jobs are squeezed to fewer cores when somebody else needs them."""

from __future__ import annotations

from desk.conftest import Figure
from desk.image import PEOPLE
from desk.lab import USER, Lab
from desk.vm import Vm

OTHER = next(name for name in PEOPLE if name != USER)
SPIN = ("/usr/bin/python3", "/usr/local/lib/spin.py")

_UNTIL_WIDE = """
import os, sys, time
end = time.time() + 300
while any(len(os.sched_getaffinity(int(pid))) < 2 for pid in sys.argv[1:]):
    if time.time() > end:
        sys.exit("after five minutes the job is still squeezed")
    time.sleep(2)
"""


def test_somebody_by_ssh_gets_the_cores(lab: Lab, vm: Vm, figure: Figure) -> None:
    lab.use_worker()
    job = lab.enqueue("-c", "2", "--", *SPIN, "2", "3600")
    lab.until(job, state="started")
    with vm.start([*SPIN, "1", "40"], OTHER) as spinning:
        lab.until(job, cores_now=1)
        assert lab.view(job)["restraint"] == "squeezed to 1 of 2 cores"
        assert lab.view(job)["paused_by"] == []
        told, _ = spinning.communicate()
    figure("share of a core that somebody by ssh gets", told.strip(), "1.00")
    assert float(told) > 0.7
    # Waited for inside: on an emulated machine each command by ssh keeps half a core busy.
    vm.python(_UNTIL_WIDE, *vm.run(["pgrep", "-u", USER, "-f", "[s]pin.py"]).split())
    lab.until(job, cores_now=None)
    lab.cancel_all()


def test_jobs_keep_to_cores_of_their_own(lab: Lab, vm: Vm) -> None:
    lab.use_worker()
    jobs = [lab.enqueue("-c", "1", "--", *SPIN, "1", "3600") for _ in range(2)]
    for job in jobs:
        lab.until(job, state="started")
    status = 'grep Cpus_allowed_list "/proc/$pid/status"'
    masks = vm.shell(f"for pid in $(pgrep -u {USER} -f '[s]pin.py'); do {status}; done", USER)
    cores = {line.rpartition("\t")[2] for line in masks.splitlines() if line}
    assert cores == {"0", "1"}
    lab.cancel_all()


def test_half_of_the_cores_while_somebody_is_at_the_desk(lab: Lab, vm: Vm) -> None:
    lab.use_worker(desk_action="half")
    job = lab.enqueue("-c", "2", "--", *SPIN, "2", "3600")
    lab.until(job, state="started")
    vm.hands.press("shift")
    view = lab.until(job, cores_now=1)
    assert view["paused_by"] == []
    vm.python(_UNTIL_WIDE, *vm.run(["pgrep", "-u", USER, "-f", "[s]pin.py"]).split())
    lab.until(job, cores_now=None)
    lab.cancel_all()
