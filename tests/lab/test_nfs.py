"""NFS of one machine hangs, fails or is full, with and without its tunnel."""

from __future__ import annotations

import time

import pytest
from campus import DEAD_S, FENCE_S, Campus
from figures import NewScenario
from share import Mode

SSH = 22


def test_a_hang_with_the_tunnel_cut(campus: Campus, scenario: NewScenario) -> None:
    """Both channels are silent: its jobs pause before others take them, and die when it is back."""
    machine, share = campus.machines["lab01"], campus.shares["lab01"]
    both = scenario("NFS hang and tunnel cut, t > dead")
    both.enqueue(4, 8, checkpoints=False)
    both.until_all_run()
    victims = both.on("lab01")
    assert len(victims) == 2
    both.strikes()
    machine.drop_port(SSH)
    share.set("hang")
    both.until_requeued(victims, DEAD_S + 15)
    for job in victims:
        # It still lives, and has not run since before it was given to another machine.
        assert time.monotonic() - campus.ticks(job)[-1] > DEAD_S - FENCE_S - 1
    for job in victims:
        campus.until_ticks(job, attempt=2)
    share.set("ok")
    machine.pass_port()
    back_s = time.monotonic()
    assert both.end().attempts == 6
    campus.until_idle(machine)
    both.measure("until the old attempts were gone", back_s)


@pytest.mark.lab
def test_a_short_hang_with_the_tunnel_cut(campus: Campus, scenario: NewScenario) -> None:
    """Both are silent for longer than the fence and not long enough for a verdict: they resume."""
    machine, share = campus.machines["lab01"], campus.shares["lab01"]
    both = scenario("NFS hang and tunnel cut, fence < t < dead")
    both.enqueue(4, 12, checkpoints=False)
    both.until_all_run()
    victims = both.on("lab01")
    assert len(victims) == 2
    both.strikes()
    machine.drop_port(SSH)
    share.set("hang")
    for job in victims:
        campus.until_paused(job)
    both.measure("to the pause")
    share.set("ok")
    machine.pass_port()
    back_s = time.monotonic()
    for job in victims:
        campus.until_ticks(job, since_s=back_s)
    both.measure("to the resumption", back_s)
    assert both.end().attempts == 4


@pytest.mark.lab
@pytest.mark.parametrize("mode", ["hang", "eio", "estale", "enospc"])
def test_a_fault_of_nfs_alone(campus: Campus, scenario: NewScenario, mode: Mode) -> None:
    """The tunnel is enough: what runs goes on, what ends waits with its result."""
    share = campus.shares["lab01"]
    fault = scenario(f"NFS: {mode} for {3 * DEAD_S:g} s")
    fault.enqueue(2, 6, "--machine", "lab01", checkpoints=False)
    fault.enqueue(2, 40, "--machine", "lab02", checkpoints=False)
    fault.until_all_run()
    fault.strikes()
    share.set(mode)
    # Acknowledged while a machine cannot even make its folder.
    fault.enqueue(2, 2, checkpoints=False)
    fault.pass_time(3 * DEAD_S)
    views = campus.watch.jobs()
    share.set("ok")
    back_s = time.monotonic()
    assert all(views[job].attempt == 1 for job in fault.jobs[:4]), views
    fault.end()
    fault.measure("from its end until all had finished", back_s)
    assert all(campus.watch.jobs()[job].attempt == 1 for job in fault.jobs[:4])


@pytest.mark.lab
@pytest.mark.timeout(400)
def test_a_slow_server(campus: Campus, scenario: NewScenario) -> None:
    slow = scenario("NFS: 150 ms an operation, everywhere")
    for share in campus.shares.values():
        share.set("ok", delay_s=0.15)
    slow.strikes()
    slow.enqueue(8, 4)
    assert slow.end(200).attempts == 8
    slow.measure("for 8 jobs of 4 s")
    for share in campus.shares.values():
        share.set("ok")
