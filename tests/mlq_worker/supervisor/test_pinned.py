"""A job is kept on its cores from its start: a real supervisor, real jobs."""

from __future__ import annotations

import os

import pytest
from supervising import Bench
from waiting import wait_for

from mlq_worker.guest.rules import GuestRules
from mlq_worker.ipc.messages import Manners

MINE = frozenset(os.sched_getaffinity(0))
pytestmark = pytest.mark.skipif(len(MINE) < 2, reason="this machine has one core")

COUNTS = """\
import os, subprocess, time
def show(name, text):
    with open(os.environ["HERE"] + "/" + name + ".new", "w") as file:
        file.write(str(text))
    os.rename(file.name, os.environ["HERE"] + "/" + name)
name = os.environ["MLQ_MARK"].split(":")[-1]
show(name, subprocess.run("nproc", capture_output=True, text=True).stdout + str(os.nice(0)))
while not os.path.exists(os.environ["HERE"] + "/widen"):
    time.sleep(0.01)
os.sched_setaffinity(0, range(os.cpu_count()))
while True:
    time.sleep(0.01)
"""


def start(bench: Bench, job_id: str, cores: int = 1) -> int:
    bench.python(job_id, COUNTS, share={"cores": cores})
    return bench.running(job_id)


def manners(bench: Bench, rules: GuestRules) -> None:
    bench.link.send(Manners(rules.as_json()).to_json())


def test_a_job_counts_its_own_cores_and_no_other_has_them(bench: Bench) -> None:
    manners(bench, GuestRules(guest="mine"))
    first, second = start(bench, "1"), start(bench, "2")
    assert bench.file("1.1").split() == bench.file("2.1").split() == ["1", "19"]
    assert not os.sched_getaffinity(first) & os.sched_getaffinity(second)


def test_a_job_that_widens_its_mask_is_narrowed(bench: Bench) -> None:
    manners(bench, GuestRules(guest="mine"))
    leader = start(bench, "1")
    bench.file("1.1")
    before = os.sched_getaffinity(leader)
    (bench.root.parent / "widen").touch()
    wait_for(lambda: os.sched_getaffinity(leader) == MINE, what="the job to widen its mask")
    wait_for(lambda: os.sched_getaffinity(leader) == before, what="the supervisor to see it")


def test_a_job_is_free_where_cores_are_not_enforced(bench: Bench) -> None:
    manners(bench, GuestRules(guest="mine", enforce="mem,vram"))
    assert os.sched_getaffinity(start(bench, "1")) == MINE
    assert bench.file("1.1").split() == [str(len(MINE)), "19"]


def test_rules_that_change_hold_for_running_jobs(bench: Bench) -> None:
    manners(bench, GuestRules(guest="mine"))
    leader = start(bench, "1")
    bench.file("1.1")
    assert len(os.sched_getaffinity(leader)) == 1
    manners(bench, GuestRules(guest="mine", enforce="none"))
    wait_for(lambda: os.sched_getaffinity(leader) == MINE, what="the job to be free")
    manners(bench, GuestRules(guest="mine"))
    wait_for(lambda: len(os.sched_getaffinity(leader)) == 1, what="the job to be pinned")


def test_jobs_of_a_lane_that_run_at_once_have_cores_of_their_own(bench: Bench) -> None:
    manners(bench, GuestRules(guest="mine"))
    lane = {"lane": "short", "width": len(MINE), "share": {"cores": 1}}
    names = [str(number) for number in range(len(MINE))]
    for name in names:
        bench.python(name, COUNTS, **lane)
    masks = [frozenset(os.sched_getaffinity(bench.running(name))) for name in names]
    assert set(masks) == {frozenset({core}) for core in MINE}
    for name in names:
        assert bench.file(f"{name}.1").split() == ["1", "19"]
    # The keeper says so to the neighbours, from the first look on.
    for name, mask in zip(names, masks, strict=True):
        keeper = bench.keeper(name)
        wait_for(lambda: os.sched_getaffinity(keeper) == mask, what="the keeper to be pinned")  # noqa: B023


def test_a_full_machine_shares_its_cores(bench: Bench) -> None:
    manners(bench, GuestRules(guest="mine"))
    leaders = [start(bench, str(number)) for number in range(len(MINE) + 1)]
    masks = [os.sched_getaffinity(leader) for leader in leaders]
    assert all(len(mask) == 1 for mask in masks)
    assert set().union(*masks) == MINE
