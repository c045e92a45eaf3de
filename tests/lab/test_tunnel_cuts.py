"""The way from a machine to the queue falls silent: nothing is killed, and nothing runs twice."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from campus import DEAD_S, FENCE_S, LEASE_S, Campus
from figures import NewScenario, Scenario
from waiting import wait_for

SSH = 22
NOTICED_S = 30.0  # docs/tunnels.md


def ran_without_a_pause(cut: Scenario) -> bool:
    ticks = [cut.campus.ticks(job) for job in cut.jobs]
    return all(other - one < LEASE_S / 2 for each in ticks for one, other in pairwise(each))


@pytest.mark.parametrize(
    ("length", "cut_s"),
    [
        ("fence < t < dead", (FENCE_S + DEAD_S) / 2),
        pytest.param("t < fence", (LEASE_S + FENCE_S) / 2, marks=pytest.mark.lab),
    ],
)
def test_a_cut_tunnel_changes_nothing(
    campus: Campus, scenario: NewScenario, length: str, cut_s: float
) -> None:
    cut = scenario(f"tunnel cut, {length}")
    cut.enqueue(4, 10, checkpoints=False)
    cut.until_all_run()
    assert cut.on("lab01")
    cut.strikes()
    campus.machines["lab01"].drop_port(SSH)
    cut.pass_time(cut_s)
    campus.machines["lab01"].pass_port()
    figures = cut.end()
    assert figures.attempts == 4
    assert ran_without_a_pause(cut)


@pytest.mark.lab
@pytest.mark.timeout(400)
def test_a_cable_pulled_for_minutes(campus: Campus, scenario: NewScenario) -> None:
    """Some jobs end meanwhile and some do not; the worker comes back to the queue by itself."""
    machine = campus.machines["lab01"]
    cut = scenario("cable pulled for 2 min")
    cut.enqueue(2, 20, "--machine", "lab01", checkpoints=False)
    cut.enqueue(2, 150, "--machine", "lab02", checkpoints=False)
    cut.until_all_run()
    short, long = cut.jobs[:2], cut.jobs[2:]
    worker_s = campus.until_worker(machine)
    cut.strikes()
    machine.cut()
    wait_for(lambda: "tunnel down" in campus.worker_status("lab01"), NOTICED_S, "word of the loss")
    assert cut.measure("to notice the loss") < NOTICED_S
    # The results lie on NFS, where the reaper on the other machine finds them.
    for job in short:
        campus.watch.until(job, "finished", timeout_s=90)
    cut.measure("until results were in")
    cut.pass_time(120)
    machine.heal()
    healed_s = time.monotonic()
    wait_for(lambda: campus.shown("lab01")["heard_s_ago"] < 2, 60, "the worker to be back")
    cut.measure("from the cable's return to the worker's", healed_s)
    assert campus.until_worker(machine) == worker_s  # the same process
    cut.jobs.append(campus.enqueue(2, "--machine", "lab01"))
    figures = cut.end(120)
    assert figures.attempts == len(short) + len(long) + 1
    assert ran_without_a_pause(cut)


@pytest.mark.lab
def test_a_cut_is_told_in_plain_words(campus: Campus, scenario: NewScenario) -> None:
    cut = scenario("tunnel cut, t > dead")
    cut.enqueue(4, 20, checkpoints=False)
    cut.until_all_run()
    assert cut.on("lab01")
    cut.strikes()
    campus.machines["lab01"].drop_port(SSH)
    cut.pass_time(2 * DEAD_S)
    shown = campus.ok("ls", on=campus.queue)
    campus.machines["lab01"].pass_port()
    assert "tunnel down for 1" in shown, shown
    assert "alive by NFS" in shown
    assert cut.end().attempts == 4
    assert ran_without_a_pause(cut)
