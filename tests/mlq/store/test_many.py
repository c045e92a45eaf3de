"""Many jobs at once: lists stay in order, slices leave nothing half done, nobody is forgotten."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from keyspace import problems
from rq import Queue as RqQueue
from rq.serializers import JSONSerializer
from store_fixtures import CLASS, LAB01, NOW_S, Enqueue, claim

from mlq.api.queue import Queue
from mlq.jobs.lifecycle import Event
from mlq.store.operations import Move, move_operation
from mlq.store.store import Store

pytestmark = pytest.mark.slow

LIST = f"rq:queue:{CLASS}"


def waiting(client: redis.Redis) -> list[str]:
    return [raw.decode() for raw in client.lrange(LIST, 0, -1)]


def orders(client: redis.Redis) -> list[float]:
    return [client.zscore("mlq:jobs", one) or 0.0 for one in waiting(client)]


@pytest.mark.parametrize("which", ["older half", "younger half", "every second", "some", "all"])
def test_jobs_taken_out_and_put_back_stand_where_they_stood(
    store: Store, enqueue: Enqueue, admin: redis.Redis, queue: Queue, which: str
) -> None:
    ids = enqueue(1500)
    half = len(ids) // 2
    chosen = {
        "older half": ids[:half],
        "younger half": ids[half:],
        "every second": ids[::2],
        "some": ids[7::37],
        "all": ids,
    }[which]
    canceled, stopping = queue.cancel(chosen)
    assert (canceled, stopping) == (chosen, [])
    left = [one for one in ids if one not in set(chosen)]
    assert waiting(admin) == left
    shuffled = sorted(chosen, key=lambda one: one[::-1])
    assert queue.retry(shuffled) == (sorted(chosen, key=int), [], [], {})
    assert waiting(admin) == ids


def test_the_lists_are_sound_after_each_slice(
    store: Store,
    enqueue: Enqueue,
    admin: redis.Redis,
    queue: Queue,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("LEAST", "FIRST", "MOST"):
        monkeypatch.setattr(f"mlq.api.many.{name}", 7)
    ids = enqueue(40)
    (child,) = enqueue(1, after=ids[:3])
    done: list[int] = []

    def look(so_far: int, of: int) -> None:
        assert problems(admin) == []
        assert so_far <= of
        done.append(so_far)
        claim(store)  # others go on meanwhile

    queue.progress = look
    canceled, stopping = queue.cancel(ids)
    assert done == [7, 14, 21, 28, 35, 40]
    assert set(canceled) | set(stopping) == set(ids)
    assert store.reads.rows(("status",), [child])[0][1] == "canceled"
    done.clear()
    queue.retry(canceled)
    assert done[-1] == len(canceled)


def test_what_plain_rq_puts_between_keeps_its_place(
    store: Store, enqueue: Enqueue, admin: redis.Redis, redis_client: redis.Redis, queue: Queue
) -> None:
    rq_queue = RqQueue(CLASS, connection=redis_client, serializer=JSONSerializer)
    first = enqueue(6)
    plain = [rq_queue.enqueue("math.sqrt", number).id for number in range(3)]
    second = enqueue(6)
    assert waiting(admin) == [*first, *plain, *second]
    later = rq_queue.enqueue("math.sqrt", 9).id
    queue.cancel([*first[2:], *plain[:2], *second[:3]])
    assert waiting(admin) == [*first[:2], plain[2], *second[3:], later]
    queue.retry([*second[:3], *first[2:]])
    assert waiting(admin) == [*first, plain[2], *second, later]
    assert orders(admin) == sorted(orders(admin))
    queue.retry(plain[:2])
    assert set(waiting(admin)[6:9]) == set(plain)


def test_ids_of_deleted_jobs_in_a_list_stand_in_nobodys_way(
    store: Store, enqueue: Enqueue, admin: redis.Redis, queue: Queue
) -> None:
    ids = enqueue(30)
    queue.cancel(ids[5:25])
    gone = [f"11111111-2222-4333-8444-{number:012}" for number in range(4)]
    admin.linsert(LIST, "BEFORE", ids[3], gone[0])
    admin.linsert(LIST, "BEFORE", ids[27], gone[1])
    admin.rpush(LIST, gone[2])
    admin.lpush(LIST, gone[3])
    queue.retry(ids[5:25])
    assert [one for one in waiting(admin) if one not in gone] == ids
    queue.cancel(ids[2:28])
    assert [one for one in waiting(admin) if one not in gone] == [*ids[:2], *ids[28:]]
    for one in gone:
        admin.lrem(LIST, 0, one)


def many_children(enqueue: Enqueue, count: int, **options: Any) -> tuple[str, list[str]]:
    (parent,) = enqueue(1, priority=1)
    return parent, enqueue(count, after=[parent], **options)


def count_of(store: Store, ids: list[str], state: str) -> int:
    return [row[1] for row in store.reads.rows(("status",), ids)].count(state)


def test_a_refused_subtree_is_told_whole(
    store: Store, enqueue: Enqueue, admin: redis.Redis, queue: Queue
) -> None:
    parent, children = many_children(enqueue, 700)
    grandchildren = enqueue(600, after=[children[-1]])
    (free,) = enqueue(1, after=[grandchildren[0], parent], after_any=True)
    queue.cancel([parent])
    assert count_of(store, children + grandchildren, "canceled") == 1300
    assert store.reads.rows(("status",), [free])[0][1] == "queued"
    assert waiting(admin) == [free]


def test_a_child_that_waits_anew_is_not_told_of_an_earlier_end(
    store: Store, enqueue: Enqueue, admin: redis.Redis, queue: Queue
) -> None:
    parent, children = many_children(enqueue, 1100)
    (mine,) = store.claim([(CLASS.replace("p0", "p1"), 1)], LAB01, 45, NOW_S)
    store.runner.run(move_operation([Move(parent, Event.SUCCEED, mine.attempt)], NOW_S))
    told = [row[0] for row in store.reads.rows(("status",), children) if row[1] == "deferred"]
    # Before it was told, the child is canceled, and both are run again.
    store.runner.run(move_operation([Move(told[0], Event.CANCEL)], NOW_S))
    store.runner.run(move_operation([Move(parent, Event.RERUN), Move(told[0], Event.RERUN)], NOW_S))
    store.tell(NOW_S)
    assert store.reads.rows(("status",), [told[0]])[0][1] == "deferred"
    assert count_of(store, children, "queued") == 1099


def test_many_children_are_told_in_order_so_that_none_rewrites_the_list(
    store: Store, enqueue: Enqueue, admin: redis.Redis
) -> None:
    parent, children = many_children(enqueue, 2500)
    after_them = enqueue(3)
    (mine,) = store.claim([(CLASS.replace("p0", "p1"), 1)], LAB01, 45, NOW_S)
    store.runner.run(move_operation([Move(parent, Event.SUCCEED, mine.attempt)], NOW_S))
    seen = [waiting(admin)]
    # These have not been told.
    store.runner.run(
        move_operation([Move(one, Event.CANCEL) for one in children[1200:1210]], NOW_S)
    )
    while not store.tell(NOW_S, slices=1):
        seen.append(waiting(admin))
        assert problems(admin) == []
    assert len(seen) > 3
    left = children[:1200] + children[1210:]
    for one in seen:
        assert one == left[: len(one) - 3] + after_them
    assert waiting(admin) == left + after_them
    assert admin.keys("mlq:untold*") == admin.keys("mlq:telling") == []
