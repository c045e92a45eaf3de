"""Workers come and go under load; jobs notice nothing."""

from __future__ import annotations

import os
import signal

import pytest
from campus import Campus
from figures import NewScenario


@pytest.mark.lab
@pytest.mark.parametrize("how", ["mlq worker stop", "kill -9"])
def test_another_worker_takes_over(campus: Campus, scenario: NewScenario, how: str) -> None:
    machine = campus.machines["lab01"]
    upgrade = scenario(f"worker replaced 4 times, {how}")
    upgrade.enqueue(2, 15, "--machine", "lab01", checkpoints=False)
    upgrade.until_all_run()
    upgrade.enqueue(16, 1.5)
    upgrade.strikes()
    for _ in range(4):
        if how == "kill -9":
            os.kill(campus.worker_pid(machine), signal.SIGKILL)
        else:
            campus.ok("worker", "stop", on=machine)
        campus.start_worker(machine)
        upgrade.enqueue(2, 1)
    upgrade.measure("for all four")
    figures = upgrade.end()
    assert all(campus.watch.jobs()[job].attempt == 1 for job in upgrade.jobs[:2])
    # A claim whose worker died before it gave the order is handed back, and counts no loss.
    assert all(job.losses == 0 for job in campus.watch.jobs().values())
    assert how == "kill -9" or figures.attempts == figures.jobs
