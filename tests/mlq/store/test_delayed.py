"""Jobs that must not start at once: scheduled by the server's clock, then in line."""

from __future__ import annotations

import pytest
import redis
from store_fixtures import CLASS, NOW_S, Enqueue, claim, fields, time_of

from mlq.api.held import hold
from mlq.api.many import release
from mlq.errors import InvalidInputError
from mlq.jobs.lifecycle import Event
from mlq.store.operations import Move
from mlq.store.store import Store
from mlq.submit.submission import Submission


def make_due(admin: redis.Redis, *jobs: str) -> None:
    admin.zadd(f"rq:scheduled:{CLASS}", dict.fromkeys(jobs, 1.0))


def pass_on(store: Store) -> list[str]:
    ids = store.due()
    store.move([Move(one, Event.DUE) for one in ids], NOW_S)
    return ids


def test_it_waits_until_it_is_due(store: Store, enqueue: Enqueue, admin: redis.Redis) -> None:
    (job,) = enqueue(1, start="2h")
    (later,) = enqueue(1)
    ((_, due_s),) = admin.zrange(f"rq:scheduled:{CLASS}", 0, -1, withscores=True)
    assert 7190 < due_s - time_of(admin) <= 7200
    assert fields(store, job) == ["scheduled"]
    assert fields(store, job, "mlq_due")[1] > fields(store, later, "created_at")[1]
    assert pass_on(store) == []
    make_due(admin, job)
    assert pass_on(store) == [job]
    assert [one.id for one in claim(store, count=2)] == [job, later]


@pytest.mark.parametrize(
    ("event", "state"), [(None, "deferred"), (Event.SUCCEED, "queued"), (Event.FAIL, "canceled")]
)
def test_when_it_is_due_it_waits_for_its_parents(
    store: Store, enqueue: Enqueue, admin: redis.Redis, event: Event | None, state: str
) -> None:
    (parent,) = enqueue(1)
    (child,) = enqueue(1, after=[parent], start=60)
    (mine,) = claim(store)
    if event:
        store.move([Move(parent, event, mine.attempt)], NOW_S)
    assert fields(store, child) == ["scheduled"]
    make_due(admin, child)
    pass_on(store)
    assert fields(store, child) == [state]
    if not event:
        store.move([Move(parent, Event.SUCCEED, mine.attempt)], NOW_S)
        assert fields(store, child) == ["queued"]


def test_one_that_was_held_and_let_go_waits_on(
    store: Store, enqueue: Enqueue, admin: redis.Redis
) -> None:
    (job,) = enqueue(1, start="2h")
    (before,) = admin.zrange(f"rq:scheduled:{CLASS}", 0, -1, withscores=True)
    hold(store, [job], [], "by hand", NOW_S)
    assert (fields(store, job), pass_on(store)) == (["deferred"], [])
    assert release(store, [job], NOW_S)[0] == [job]
    assert fields(store, job) == ["scheduled"]
    ((_, due_s),) = admin.zrange(f"rq:scheduled:{CLASS}", 0, -1, withscores=True)
    assert abs(due_s - before[1]) < 0.01


@pytest.mark.parametrize("start", ["soon", "2020-01-01", -5, True])
def test_what_is_no_time_is_refused(start: object) -> None:
    with pytest.raises(InvalidInputError):
        Submission(argv=("a",), start=start).delay_s("2026-11-27T10:00:00Z")  # type: ignore[arg-type]
