"""A server comes back with other, older or no data: nothing is lost by what it does not know."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from rq.job import Job
from store_fixtures import CLASS, LAB01, LAB02, NOW_S, Enqueue, claim, dump, fields

from mlq.errors import EmptiedQueueError, OtherQueueError
from mlq.jobs.lifecycle import Event
from mlq.store.connection import RedisClient
from mlq.store.operations import Move
from mlq.store.store import Store

WRITES: dict[str, Callable[[Store], object]] = {
    "renew": lambda store: store.renew("lab01", [("1", 1, "0.5")], 45, NOW_S),
    "claim": lambda store: store.claim([(CLASS, 1)], LAB01, 45, NOW_S),
    "move": lambda store: store.move([Move("1", Event.LOSE, 1)], NOW_S),
    "reinstate": lambda store: store.reinstate(("1", 1), 2, LAB01, NOW_S),
    "role": lambda store: store.roles.hold_role("reaper", "lab01", 30),
    "numbers": lambda store: store.raise_numbers(1000),
    "reservation": lambda store: store.reserve_machine("1", "lab01", 30),
    "machine": lambda store: store.roles.record_machine("lab01", {}, {"state": "idle"}),
    "sightings": lambda store: store.roles.record_sightings({}, 30),
    "forget": lambda store: store.forget(NOW_S + 1e6),
    "held": lambda store: store.held("lab01"),
    "expired": lambda store: store.expired(45, 20),
}


@pytest.fixture
def ours(redis_client: redis.Redis) -> Store:
    return Store(RedisClient(redis_client, Path("test.sock")), "ours")


@pytest.mark.parametrize("does", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("found", ["theirs", None])
def test_nothing_is_done_in_another_queue(
    ours: Store,
    store: Store,
    enqueue: Enqueue,
    redis_client: redis.Redis,
    does: Callable[[Store], object],
    found: str | None,
) -> None:
    enqueue(2)
    claim(store, lease_s=-1)
    if found:
        redis_client.set("mlq:queue_id", found)
    before = dump(redis_client)
    with pytest.raises(OtherQueueError if found else EmptiedQueueError) as error:
        does(ours)
    assert ("theirs" in error.value.why) == bool(found)
    assert dump(redis_client) == before
    redis_client.set("mlq:queue_id", "ours")
    does(ours)


def test_a_reply_remembered_by_another_queue_is_none(
    ours: Store, enqueue: Enqueue, redis_client: redis.Redis
) -> None:
    redis_client.set("mlq:queue_id", "theirs")
    redis_client.set("mlq:reply:x", "{}")
    with pytest.raises(OtherQueueError):
        ours.reserve_numbers(1)
    redis_client.delete("mlq:reply:x")


def test_what_the_queue_never_heard_of_is_not_lost(store: Store) -> None:
    renewal = store.renew("lab01", [("7", 1, "")], 45, NOW_S)
    assert (renewal.unknown, renewal.lost, renewal.alive) == ((("7", 1),), (), ())


def test_what_rq_deleted_is_lost_whoever_noticed_it_first(
    store: Store, enqueue: Enqueue, redis_client: redis.Redis
) -> None:
    one, two = enqueue(2)
    claim(store, count=2)
    for job_id in (one, two):
        Job.fetch(job_id, redis_client, serializer="json").delete()
    assert store.renew("lab01", [(one, 1, "")], 45, NOW_S).lost == ((one, 1),)
    store.held("lab01")
    store.expired(-1e9, -1e9)
    assert store.renew("lab01", [(one, 1, ""), (two, 1, "")], 45, NOW_S).lost == (
        (one, 1),
        (two, 1),
    )


def _waits(store: Store, job_id: str) -> None:
    """As it was when the backup was made."""


def _runs_elsewhere(store: Store, job_id: str) -> None:
    claim(store, LAB02)


def _failed(store: Store, job_id: str) -> None:
    claim(store, LAB02)
    store.move([Move(job_id, Event.FAIL, 1)], NOW_S)


@pytest.mark.parametrize("earlier", [_waits, _runs_elsewhere, _failed])
@pytest.mark.parametrize("ended", [False, True])
def test_a_restored_queue_takes_back_what_it_has_forgotten(
    store: Store, enqueue: Enqueue, earlier: Callable[[Store, str], None], ended: bool
) -> None:
    (job,) = enqueue(1)
    earlier(store, job)
    held = [(job, 2, "", ended)]
    renewal = store.renew("lab01", held, 45, NOW_S, "boot-a", "supervisor-a")
    assert renewal.alive == renewal.adopted == ((job, 2),)
    assert fields(store, job, "mlq_attempt", "mlq_machine") == ["started", "2", "lab01"]
    assert [one.key for one in store.held("lab01")] == [(job, 2)]
    assert store.held("lab02") == []
    assert store.claim([(CLASS, 1)], LAB02, 45, NOW_S) == []
    assert store.renew("lab02", [(job, 1, "")], 45, NOW_S).lost == ((job, 1),)
    assert store.renew("lab01", held, 45, NOW_S, "boot-a", "supervisor-a").adopted == ()
    assert store.move([Move(job, Event.SUCCEED, 2)], NOW_S).moved == (job,)


def test_what_its_user_canceled_meanwhile_is_not_taken_back(store: Store, enqueue: Enqueue) -> None:
    (job,) = enqueue(1)
    store.move([Move(job, Event.CANCEL)], NOW_S)
    assert store.renew("lab01", [(job, 1, "")], 45, NOW_S).lost == ((job, 1),)


def test_an_attempt_that_is_over_is_not_taken_back(store: Store, enqueue: Enqueue) -> None:
    (job,) = enqueue(1)
    claim(store)
    store.move([Move(job, Event.LOSE, 1, lost_on="lab01")], NOW_S)
    assert store.renew("lab01", [(job, 1, "")], 45, NOW_S).lost == ((job, 1),)


def test_a_number_given_out_again_leads_back_to_the_attempt_that_had_it(
    store: Store, enqueue: Enqueue
) -> None:
    (job,) = enqueue(1)
    claim(store, LAB02)
    assert store.reinstate((job, 1), 3, LAB01, NOW_S)
    assert not store.reinstate((job, 1), 3, LAB01, NOW_S)  # the queue is at 3 by now
    (there,) = store.expired(45, 0).attempts
    assert (there.key, there.machine, there.expired) == ((job, 3), "lab01", True)
    assert store.renew("lab02", [(job, 1, "")], 45, NOW_S).lost == ((job, 1),)
    assert store.renew("lab01", [(job, 3, "")], 45, NOW_S).alive == ((job, 3),)


def test_another_job_of_the_same_number_is_not_taken_for_it(store: Store, enqueue: Enqueue) -> None:
    (job,) = enqueue(1)
    held = [(job, 1, "", False, "the signature of the job that was")]
    assert store.renew("lab01", held, 45, NOW_S).unknown == ((job, 1),)
    (claimed,) = claim(store)
    assert store.renew("lab01", held, 45, NOW_S).unknown == ((job, 1),)
    end = Move(job, Event.SUCCEED, 1, signature="the signature of the job that was")
    assert store.move([end], NOW_S).stale == (job,)
    assert store.move([end._replace(signature=claimed.signature)], NOW_S).moved == (job,)
