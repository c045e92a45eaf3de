"""Old jobs, classes and machines are forgotten whole, and nothing else is."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import redis
import rq
from store_fixtures import CLASS, LAB01, NOW_S, Enqueue, claim, dump

from mlq.errors import QueueRefusedError
from mlq.jobs.lifecycle import Event
from mlq.store.operations import Move, Operation
from mlq.store.store import Store


def test_forgetting_deletes_every_key_of_old_ended_jobs_and_nothing_else(
    store: Store, enqueue: Enqueue, admin: redis.Redis
) -> None:
    (kept,) = enqueue(1, name="kept")
    before = dump(admin)
    old = enqueue(3, name="old", after=[])
    (child,) = enqueue(1, name="old", after=old[:1], after_any=True)
    store.move([Move(kept, Event.CANCEL)], NOW_S)
    store.move([Move(kept, Event.RERUN)], NOW_S)
    for job in (*old, child):
        (mine,) = [
            one for one in store.claim([(CLASS, 1)], LAB01, 45, NOW_S) if one.id != kept
        ] or claim(store)
        result = ("type", 1, "worker_name", "lab01")
        store.move([Move(mine.id, Event.FAIL, mine.attempt, result=result)], NOW_S)
        assert job
    assert store.forget(3600) == []
    forgotten = []
    while batch := store.forget(-1, limit=3):
        forgotten += batch
    assert set(forgotten) == {*old, child}
    leftovers = [
        key.decode()
        for key in admin.scan_iter("*")
        if key not in before and not key.startswith(b"mlq:reply:")
    ]
    held_by_kept = [f"rq:execution:{kept}:1", f"rq:executions:{kept}", f"rq:wip:{CLASS}"]
    held_by_kept += ["mlq:leases", "mlq:held:lab01"]
    assert set(leftovers) <= set(held_by_kept)
    assert store.reserve_numbers(1) == int(child) + 1, "a number is never used again"


def test_forgetting_drops_classes_and_machines_of_which_nothing_is_left(
    store: Store, enqueue: Enqueue, redis_client: redis.Redis
) -> None:
    (done,) = enqueue(1, cores=3)
    (waiting,) = enqueue(1, cores=4)
    store.move([Move(done, Event.CANCEL)], time.time())
    store.renew("gone", [], 45, 0.0)
    store.renew("known", [], 45, 0.0)
    store.roles.record_machine("known", {"machine": "known"}, {"pid": "1"})
    store.forget(-60)
    assert redis_client.smembers("rq:queues") == {b"rq:queue:p0.c4.m2048.g0.v0"}
    assert list(store.reads.machines()) == ["known"]
    assert [head.id for head in store.peek().heads] == [waiting]


class Interrupted(rq.Queue):
    """A queue of plain rq; `between` happens after it has entered its name, before its job."""

    between: Callable[[], object]

    def _enqueue_job(self, *args: Any, **options: Any) -> rq.job.Job:
        self.between()
        return super()._enqueue_job(*args, **options)


@pytest.mark.parametrize("times", [1, 2])
def test_a_class_that_plain_rq_is_just_entering_is_not_lost(
    store: Store, redis_client: redis.Redis, times: int
) -> None:
    queue = Interrupted("default", connection=redis_client, serializer="json")

    def forget() -> None:
        for _ in range(times):
            store.forget(3600)
        assert redis_client.smembers("rq:queues") == set()

    queue.between = forget
    job = queue.enqueue("lab_functions.add", 2, 3)
    assert [head.id for head in store.peek().heads] == [job.id]
    assert redis_client.smembers("rq:queues") == {b"rq:queue:default"}
    assert redis_client.exists("mlq:forgotten_classes") == 0


def test_a_client_that_is_stopped_while_it_enters_its_job_goes_on_the_next_day(
    store: Store, redis_client: redis.Redis
) -> None:
    queue = Interrupted("default", connection=redis_client, serializer="json")

    def forget() -> None:
        store.forget(3600)
        redis_client.zincrby("mlq:forgotten_classes", -80_000, "rq:queue:default")

    queue.between = forget
    job = queue.enqueue("lab_functions.add", 2, 3)
    store.forget(3600)
    assert [head.id for head in store.peek().heads] == [job.id]
    # Later than that nobody comes.
    queue.between = lambda: None
    redis_client.zadd("mlq:forgotten_classes", {"rq:queue:other": time.time() - 90_000})
    store.forget(3600)
    assert redis_client.exists("mlq:forgotten_classes") == 0


def test_a_machine_leaves_after_the_time_of_the_setting_unless_it_holds_jobs(
    store: Store, enqueue: Enqueue, redis_client: redis.Redis
) -> None:
    enqueue(1)
    claim(store)
    for name in ("lab01", "lab02"):
        store.roles.record_machine(name, {"machine": name}, {"pid": "1"}, ttl_s=86400)
        store.renew(name, [], 45, 0.0)
    assert 86000 < redis_client.ttl("mlq:machine:lab02") <= 86400
    redis_client.delete("mlq:machine:lab01", "mlq:machine:lab02")  # as after a day
    store.forget(-60)
    assert list(store.reads.machines()) == ["lab01"]


def test_a_machine_forgotten_by_a_request_that_is_sent_again_is_forgotten_once(
    store: Store,
) -> None:
    store.renew("gone", [], 45, 0.0)
    store.client.call("ZINCRBY", "mlq:machines", -100, "gone")
    operation = Operation("forget_machine", {"machine": "gone", "quiet_s": 45})
    (first,) = store.runner.run(operation)
    store.renew("gone", [], 45, 0.0)  # it came back before the request was sent again
    (second,) = store.runner.run(operation)
    assert first["forgotten"]
    assert second == first
    assert list(store.reads.machines()) == ["gone"]


def test_a_machine_that_may_still_run_jobs_is_not_forgotten(store: Store, enqueue: Enqueue) -> None:
    (job,) = enqueue(1)
    (mine,) = claim(store)
    store.renew("lab01", [(mine.id, mine.attempt, "")], 45, 0.0)
    store.client.call("ZADD", "mlq:machines", 1, "lab01")
    with pytest.raises(QueueRefusedError, match="lab01 is not forgotten") as refused:
        store.roles.forget_machine("lab01", 45)
    assert refused.value.why == "jobs of the queue may still run there"
    store.move([Move(job, Event.FAIL, mine.attempt)], NOW_S)
    store.roles.forget_machine("lab01", 45)
    assert store.reads.machines() == {}
