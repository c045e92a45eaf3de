"""Whole processes that enqueue the same sweep: at once, and killed in the middle."""

from __future__ import annotations

import re
import signal

import pytest
from sandbox import Sandbox
from waiting import wait_for

pytestmark = pytest.mark.slow

MEMBERS = 1500
SWEEP = ("enqueue", "--in-place", "-n", "s", "--param", f"lr=1..{MEMBERS}", "--", "true", "{lr}")


def check_each_is_there_once(installation: Sandbox) -> None:
    jobs = installation.queue().every()
    assert sorted(int(job.params["lr"]) for job in jobs) == list(range(1, MEMBERS + 1))
    assert sorted(job.id for job in jobs) == sorted(f"1_{n}" for n in range(MEMBERS))


def test_two_shells_at_once_make_each_member_once(installation: Sandbox) -> None:
    installation.start_server()
    with installation.started(*SWEEP) as one, installation.started(*SWEEP) as other:
        said = [process.communicate(timeout=60)[0].decode() for process in (one, other)]
    made = [int(re.findall(r"; (\d+) enqueued", text)[0]) for text in said]
    assert sum(made) == MEMBERS
    check_each_is_there_once(installation)


def test_one_that_is_killed_is_completed_by_the_next(installation: Sandbox) -> None:
    installation.start_server()
    store = installation.queue().store
    with installation.started(*SWEEP) as process:
        wait_for(lambda: any(one.members for one in store.reads.sweeps(["s"])), 60)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    there = store.reads.sweeps(["s"])[0].members
    assert 0 < there <= MEMBERS
    said = installation.ok(*SWEEP)
    assert said.endswith(f"; {MEMBERS - there} enqueued\n")
    check_each_is_there_once(installation)
