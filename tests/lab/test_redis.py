"""The queue's server is killed with jobs running and jobs coming in, and started again."""

from __future__ import annotations

import os
import signal
import time

import pytest
from campus import DEAD_S, Campus
from figures import NewScenario
from waiting import wait_for


@pytest.mark.lab
@pytest.mark.parametrize("away_s", [0, 3 * DEAD_S])
def test_the_server_is_killed(campus: Campus, scenario: NewScenario, away_s: float) -> None:
    killed = scenario(f"Redis kill -9, away for {away_s:g} s")
    killed.enqueue(4, 8, checkpoints=False)
    killed.until_all_run()
    killed.enqueue(6, 1)
    (pid,) = [pid for pid, line in campus.queue.processes().items() if "-server " in line]
    workers = [campus.until_worker(one) for one in campus.machines.values()]
    killed.strikes()
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: pid not in campus.queue.processes(), what="the server's death")
    done = campus.mlq("enqueue", "true")
    assert done.code != 0
    assert "Traceback" not in done.err
    killed.pass_time(away_s)
    campus.ok("server", "start", on=campus.queue)
    started_s = time.monotonic()
    assert set(killed.jobs) <= set(campus.watch.jobs())
    wait_for(
        lambda: all(campus.shown(one)["heard_s_ago"] < 2 for one in campus.machines), 60, "all"
    )
    killed.measure("from its start until all workers were back", started_s)
    killed.enqueue(2, 1)
    assert killed.end().attempts == 12  # not one attempt was lost
    assert [campus.until_worker(one) for one in campus.machines.values()] == workers
