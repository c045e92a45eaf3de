"""Others begin to compute on a machine with a job: it gives way, and gets its cores back."""

from __future__ import annotations

import json
import os

import pytest
from ci import require
from local_lab import Lab
from waiting import wait_for
from watched_machine import WatchedMachine

pytestmark = [pytest.mark.slow, pytest.mark.root]

SPINS = "echo $$ > job; sh -c 'until [ -e gate ]; do sleep 0.1; done' & wait"
SAID = "squeezed to 1 of 2 cores"


@pytest.mark.timeout(300)  # it gets wider after a minute of room
def test_it_is_squeezed_and_gets_wider_again(lab: Lab) -> None:
    usable = sorted(os.sched_getaffinity(0))[:2]
    require(len(usable) == 2, "two cores")
    machine = WatchedMachine(lab, "lab07")
    machine.start()
    words = ("-c", "2", "--mem", "50M", "--", "sh", "-c", SPINS)
    job = lab.sandbox.ok("enqueue", *words).strip()
    lab.pid("job")
    assert machine.seen(job)["cores_now"] is None
    machine.compute_until(64, lambda: machine.seen(job)["cores_now"] == 1, "the news of a squeeze")
    masks = {frozenset(os.sched_getaffinity(pid)) for pid in machine.processes(job)}
    assert [len(mask) for mask in masks] == [1]
    for command in (("ls",), ("show", job), ("explain", job)):
        assert SAID in lab.sandbox.ok(*command)
        (row, *_) = json.loads(lab.sandbox.ok(*command, "--json"))
        assert (row["cores_now"], row["paused_by"]) == (1, [])
    wait_for(lambda: machine.seen(job)["cores_now"] is None, 150, what="more room")
    masks = {frozenset(os.sched_getaffinity(pid)) for pid in machine.processes(job)}
    assert [len(mask) for mask in masks] == [2]
    lab.open("gate")
    ended = lab.until(job, "finished")
    assert (ended.attempt, ended.losses, ended.failures) == (1, 0, 0)
