"""A whole machine stops, as when it sleeps or its virtual machine is paused, and goes on later."""

from __future__ import annotations

import time

import pytest
from campus import DEAD_S, LEASE_S, Campus
from figures import NewScenario
from waiting import wait_for


@pytest.mark.lab
def test_a_freeze_past_the_verdict(campus: Campus, scenario: NewScenario) -> None:
    machine = campus.machines["lab01"]
    frozen = scenario("machine frozen, t > dead")
    frozen.enqueue(4, 10, checkpoints=False)
    frozen.until_all_run()
    victims = frozen.on("lab01")
    assert len(victims) == 2
    frozen.strikes()
    machine.freeze()
    frozen.until_requeued(victims, DEAD_S + 15)
    for job in victims:
        campus.until_ticks(job, attempt=2)
    machine.thaw()
    frozen.wakes()
    thawed_s = time.monotonic()
    campus.until_idle(machine)
    frozen.measure("from the thaw until the old attempts were gone", thawed_s)
    wait_for(lambda: campus.shown("lab01")["heard_s_ago"] < 2, 60, "the worker to be back")
    figures = frozen.end()
    assert figures.attempts == 6


@pytest.mark.lab
def test_a_freeze_past_the_lease(campus: Campus, scenario: NewScenario) -> None:
    machine = campus.machines["lab01"]
    frozen = scenario("machine frozen, lease < t < dead")
    frozen.enqueue(4, 10, checkpoints=False)
    frozen.until_all_run()
    assert frozen.on("lab01")
    frozen.strikes()
    machine.freeze()
    frozen.pass_time(LEASE_S + 1)
    machine.thaw()
    assert frozen.end().attempts == 4


@pytest.mark.lab
def test_the_queues_host_freezes(campus: Campus, scenario: NewScenario) -> None:
    frozen = scenario("queue's host frozen for 30 s")
    frozen.enqueue(4, 12, checkpoints=False)
    frozen.until_all_run()
    frozen.strikes()
    campus.queue.freeze()
    frozen.pass_time(30)
    campus.queue.thaw()
    assert frozen.end().attempts == 4
