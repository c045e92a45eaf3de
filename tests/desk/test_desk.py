"""Somebody sits down: jobs stop within two seconds, and go on when the desk has been left."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from waiting import wait_for

from desk.conftest import Figure
from desk.image import PEOPLE
from desk.lab import USER, Lab
from desk.seat import Seat
from desk.vm import Inputs, Vm

# Figures are reported beside the 2 s that are promised of a real machine; an emulated one that
# shares two cores with other tests is several times slower.
STOPPED_S = 4.0
OTHER, THIRD = [name for name in PEOPLE if name != USER]


@pytest.fixture
def job(lab: Lab) -> Iterator[str]:
    """A job that ticks, on a worker with the settings of these tests."""
    lab.use_worker()
    yield lab.ticker()
    lab.cancel_all()


def stops(lab: Lab, touch: Callable[[], object]) -> float:
    """Touch the desk; make sure that the job stops and is said to be paused by the desk."""
    lab.until_runs()
    took_s = lab.stopped_after(touch)
    assert took_s <= STOPPED_S
    return took_s


@pytest.mark.parametrize("inputs", ["usb", "ps2"])
def test_key_and_mouse_stop_all_processes(
    boot: Callable[[Inputs], Vm],
    new_lab: Callable[[Vm], Lab],
    inputs: Inputs,
    figure: Figure,
) -> None:
    vm = boot(inputs)
    lab = new_lab(vm)
    lab.use_worker(desk_resume_s=40, desk_idle_s=50)
    job = lab.ticker()
    took_s = stops(lab, lambda: vm.hands.press("shift"))
    figure(f"{inputs} key to all processes stopped", f"{took_s:.2f} s", "2 s")
    view = lab.until(job, paused_by=["desk"])
    assert view["restraint"] == "paused: somebody is at the desk"
    assert view["state"] == "started"
    lab.until_runs()
    assert lab.view(job)["paused_by"] == []
    took_s = stops(lab, lambda: vm.hands.move(10))
    figure(f"{inputs} mouse to all processes stopped", f"{took_s:.2f} s", "2 s")
    lab.cancel_all()


def test_also_without_worker_and_queue(vm: Vm, lab: Lab, job: str, figure: Figure) -> None:
    lab.until_runs()
    vm.run(["kill", "-KILL", lab.pid("mlq_worker lab07"), lab.pid("redis-server")])
    took_s = stops(lab, lambda: vm.hands.press("shift"))
    figure("key to all stopped, worker and Redis killed", f"{took_s:.2f} s", "2 s")
    lab.until_runs()
    lab.mlq("server", "start")
    lab.start_worker()
    lab.until(job, state="started", attempt=1)


def test_somebody_elses_session(vm: Vm, seat: Seat, lab: Lab, job: str, figure: Figure) -> None:
    seat.log_in(OTHER)
    took_s = stops(lab, lambda: vm.hands.press("shift"))
    figure("key in somebody's desktop to all stopped", f"{took_s:.2f} s", "2 s")
    lab.until_runs()  # they left without logging out: an untouched desk is free
    assert lab.machine()["guest"]["desk"]["seated_uid"] == PEOPLE[OTHER]
    seat.log_in_at_console(THIRD)
    took_s = stops(lab, lambda: vm.hands.type("ls\n"))
    figure("key at a text console to all stopped", f"{took_s:.2f} s", "2 s")
    seat.log_out_of_console()
    seat.log_out()


def test_ones_own_desk_is_nobody(vm: Vm, seat: Seat, lab: Lab, job: str) -> None:
    seat.log_in(USER)
    try:
        lab.until_runs()
        with lab.never_still(10):
            for _ in range(5):
                vm.hands.press("shift")
                vm.hands.move(5)
        assert lab.view(job)["paused_by"] == []
    finally:
        seat.log_out()


def test_a_desk_in_use_lets_nothing_start(vm: Vm, lab: Lab, job: str) -> None:
    lab.use_worker(desk_idle_s=60, desk_resume_s=5)
    vm.hands.press("shift")
    waiting = lab.enqueue("--", "true")
    wait_for(lambda: lab.machine()["guest_notes"], 60, "a note on the desk")
    assert lab.machine()["guest_notes"][0].startswith(("desk in use", "desk free for"))
    assert lab.view(waiting)["state"] == "queued"
    lab.until(waiting, state="finished")


def test_a_job_is_handed_back(vm: Vm, lab: Lab, job: str) -> None:
    lab.use_worker(desk_evict_s=3, desk_keep_s=6, desk_resume_s=30, desk_idle_s=40)
    evicted = lab.ticker("--grace", "5s")
    lab.stopped_after(lambda: vm.hands.press("shift"))
    view = lab.until(evicted, state="queued")
    assert (view["attempt"], view["failures"], view["losses"]) == (1, 0, 0)
    assert "handed back: somebody is at the desk of lab07" in lab.mlq("show", evicted).out
    assert lab.ticking() == 0
    lab.until(evicted, state="started", attempt=2)


def test_stillness_pauses_nothing(
    vm: Vm, lab: Lab, figure: Figure, pytestconfig: pytest.Config
) -> None:
    still_s = pytestconfig.getoption("still_s")
    lab.use_worker()
    lab.ticker(lasts_s=still_s + 1800)
    pids = [lab.pid("mlq_worker.supervisor"), lab.pid("mlq_worker lab07")]
    told = vm.python(_STILLNESS, str(still_s), *pids)
    gaps, supervisor, worker, rss = told.split()
    figure(f"pauses in {still_s:g} s of stillness", gaps, "0")
    figure("CPU of the supervisor with a job, emulated", f"{supervisor} ms/s", "1 ms/s, real")
    figure("CPU of the worker, emulated", f"{worker} ms/s", "")
    figure("memory of both", f"{rss} MiB", "40 MB each")
    assert gaps == "0"


_STILLNESS = """
import os, pathlib, sys, time
def cpu_s(pid):
    words = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
def rss(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(one.split()[1]) // 1024 for one in lines if one.startswith("VmRSS"))
span, pids = float(sys.argv[1]), sys.argv[2:]
before, end, gaps = [cpu_s(one) for one in pids], time.time() + span, 0
while time.time() < end:
    time.sleep(0.25)
    states = [one for note in pathlib.Path("/dev/shm/ticks").iterdir()
              for one in pathlib.Path(f"/proc/{note.name}/stat").read_text().rpartition(")")[2][1]]
    gaps += "T" in states
used = [(cpu_s(one) - was) * 1000 / span for one, was in zip(pids, before)]
print(gaps, *(f"{one:.2f}" for one in used), "+".join(str(rss(one)) for one in pids))
"""
