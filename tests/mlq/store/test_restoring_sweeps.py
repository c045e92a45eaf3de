"""Sweeps after the queue was lost: their members stand as they did, and enqueueing goes on."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import redis
from store_fixtures import KEY, LAB01, NOW_S, claim

from mlq.api.queue import Queue
from mlq.copies.collector import Collector
from mlq.copies.copy_format import Copy, parsed
from mlq.files.layout import Layout
from mlq.jobs.lifecycle import Event
from mlq.jobs.signing import verify
from mlq.store.operations import Move
from mlq.store.store import Store
from mlq.submit.submission import Submission
from mlq.sweeps.plan import PlannedMember, SweepPlan
from mlq_worker.agent.history import Patience
from mlq_worker.rebuild.carry_out import Restored, carry_out
from mlq_worker.rebuild.plan import Terms, plan
from mlq_worker.rebuild.survey import Found

QUEUE = "0123abcd"
OWNED = Layout(Path("/results"), QUEUE)
TERMS = Terms(KEY, time.time(), Patience(3, 5.0), 30)
COMMON = Submission(cwd="/", python_env="", in_place=True)
ABC = [PlannedMember({"a": one}, ("true", one), f"k{one}") for one in "abc"]


@pytest.fixture(autouse=True)
def _owned(store: Store) -> None:
    store.client.call("SET", "mlq:queue_id", QUEUE)


def copy_of(collector: Collector) -> Copy:
    return parsed(collector.collect(QUEUE).raw, "copy")


def submit(queue: Queue, count: int, **options: Any) -> tuple[dict[str, int], tuple[str, ...]]:
    report = queue.submit_sweep(SweepPlan("s", tuple(ABC[:count]), ("a",)), COMMON, **options)
    return dict(report.members), report.ids


def rebuild(store: Store, collector: Collector, admin: redis.Redis) -> None:
    copy = copy_of(collector)
    admin.flushall()
    restore(store, copy)


def restore(store: Store, copy: Copy) -> Restored:
    planned = plan(copy, Found(), TERMS)
    return carry_out(store, OWNED, planned, KEY, pause_s=0)


def test_each_member_stands_as_it_did(store: Store, queue: Queue, admin: redis.Redis) -> None:
    submit(queue, 2, max_running=3)
    queue.cancel(["1_0"])
    submit(queue, 2)
    rebuild(store, Collector(store, "lab01", 86400.0), admin)
    (sweep,) = store.reads.sweeps(["s"])
    assert (sweep.max_running, sweep.varying) == (3, '["a"]')
    assert submit(queue, 3) == ({"queued": 2, "new": 1}, ("1_3",))
    claims = store.claim([("p0.c1.m2048.g0.v0.s1", 9)], LAB01, 45, NOW_S)
    assert [one.id for one in claims] == ["1_1", "1_2", "1_3"]
    for one in claims:
        verify(KEY, one.spec.encode(), one.signature)


def test_one_that_was_enqueued_meanwhile_gets_one_new_number(
    store: Store, queue: Queue, admin: redis.Redis
) -> None:
    collector = Collector(store, "lab01", 86400.0)
    queue.submit([COMMON.with_argv(("true",))])
    copy = copy_of(collector)
    admin.flushall()
    submit(queue, 3)
    done = restore(store, copy)
    assert len({new.partition("_")[0] for new in done.renumbered.values()}) == 1
    number = next(iter(done.renumbered.values())).partition("_")[0]
    assert done.renumbered["1_2"] == f"{number}_2"
    assert submit(queue, 3) == ({"queued": 3}, ())
    assert admin.exists("mlq:sweep:1") == 0
    assert len(claim(store)) == 1
    (mine,) = store.claim([(f"p0.c1.m2048.g0.v0.s{number}", 1)], LAB01, 45, NOW_S)
    verify(KEY, mine.spec.encode(), mine.signature)
    store.move([Move(mine.id, Event.SUCCEED, mine.attempt)], time.time())
    assert submit(queue, 3)[0] == {"queued": 2, "done": 1}


def array(queue: Queue, numbers: range, word: str) -> tuple[str, ...]:
    """Enqueue an array; return the ids of the new jobs."""
    members = [
        PlannedMember({"array": str(one)}, (word,), f"{word}{one}", task=one) for one in numbers
    ]
    return queue.submit_sweep(SweepPlan("s", tuple(members), ("array",)), COMMON).ids


def test_an_array_is_one_still(store: Store, queue: Queue, admin: redis.Redis) -> None:
    array(queue, range(3, 5), "x")
    array(queue, range(3, 5), "y")
    rebuild(store, Collector(store, "lab01", 86400.0), admin)
    assert (queue.select(["s"]), queue.select(["1-2"])[:2]) == (["2_3", "2_4"], ["1_3", "1_4"])
    assert array(queue, range(3, 6), "y") == ("2_5",)
    queue.cancel(["2_3"])
    assert array(queue, range(3, 6), "y") == ("2_250000",)
    assert array(queue, range(1), "z")[0].partition("_")[::2] == ("1003", "0")  # see `restore_end`
