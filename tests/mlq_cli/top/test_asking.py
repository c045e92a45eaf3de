"""What the live screen asks the queue."""

from __future__ import annotations

import time

from sandbox import Sandbox

from mlq.jobs.lifecycle import Event
from mlq_cli.top.asking import Asked, look


def test_of_a_long_queue_only_a_part_is_asked_for(installation: Sandbox) -> None:
    queue = installation.queue()
    queue.enqueue_many([["true"]] * 1100, cwd=str(installation.folder))
    seen = look(queue, Asked(), time.time())
    assert len(seen.jobs) == 1000
    assert seen.waiting_beyond() == 100
    assert seen.totals()["queued"] == 1100


def test_members_that_run_are_seen_and_all_of_a_sweep_that_is_open(installation: Sandbox) -> None:
    installation.start_server()
    words = ("--cwd", str(installation.folder), "--param", "lr=1,2,3", "--", "true", "{lr}")
    installation.ok("enqueue", "-n", "rates", *words)
    installation.claim("1_0")
    installation.move("1_0", Event.SUCCEED, mlq_exit_code=0)
    installation.claim("1_1")
    client = installation.queue().store.client
    client.call("HSET", "rq:job:1_1", "mlq_metrics", '{"loss":[1,2,1,2,3,0]}')
    queue = installation.queue()
    seen = look(queue, Asked("1_1"), time.time())
    assert [one.id for one in seen.running] == ["1_1"]
    assert seen.opened == {}
    assert seen.metrics["loss"].max == 3
    assert seen.totals() | {"running": 1, "queued": 1, "done": 1} == seen.totals()
    seen = look(queue, Asked("gone", frozenset({1})), time.time())
    assert [one.id for one in seen.opened[1]] == ["1_0", "1_1", "1_2"]
    assert seen.metrics == {}
