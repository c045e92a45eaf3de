"""Machines lose power with jobs running: what ran there goes on elsewhere, from its checkpoint."""

from __future__ import annotations

import pytest
from campus import DEAD_S, OFFER, Campus
from figures import NewScenario


def test_a_power_cut(campus: Campus, scenario: NewScenario) -> None:
    cut = scenario("power cut")
    cut.enqueue(4, 7)
    cut.until_checkpointed()
    victims = cut.on("lab01")
    assert len(victims) == 2
    cut.strikes()
    campus.machines["lab01"].power_off()
    assert cut.until_requeued(victims, DEAD_S + 15) >= DEAD_S - 1
    for job in victims:
        ended = campus.watch.until(job, "finished", attempt=2)
        assert (ended.machine, ended.losses) == ("lab02", 1)
        log = campus.layout.log_file(job, 2).read_text()
        assert "goes on at 0" not in log  # but at its checkpoint


@pytest.mark.lab
def test_a_reboot_after_which_cron_starts_the_worker(campus: Campus, scenario: NewScenario) -> None:
    machine = campus.machines["lab01"]
    campus.ok("worker", "stop", on=machine)
    campus.ok("worker", "install", *OFFER, on=machine)
    campus.start_worker(machine)
    reboot = scenario("reboot, worker started by cron")
    reboot.enqueue(4, 8)
    reboot.until_all_run()
    victims = reboot.on("lab01")
    assert len(victims) == 2
    reboot.strikes()
    machine.power_off()
    machine.power_on()
    reboot.measure("to boot")
    started_s = campus.until_worker(machine)
    reboot.until_requeued(victims, DEAD_S)
    assert reboot.measure("from the worker's start", started_s) < 5
