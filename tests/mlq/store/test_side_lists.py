"""Jobs that go back into the middle of a long list wait beside it, and nobody sees a difference.

What counts as long is lowered here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest
import redis
from keyspace import problems
from rq import Queue as RqQueue
from rq.job import Job
from rq.serializers import JSONSerializer
from store_fixtures import CLASS, KEY, LAB01, NOW_S, Enqueue, fields

from mlq.api.editing import Changes, edit
from mlq.api.explaining import explain
from mlq.api.many import release
from mlq.api.queue import Queue
from mlq.copies.collector import Collector
from mlq.copies.copy_format import parsed
from mlq.files.layout import Layout
from mlq.jobs.class_name import ClassName, own_class
from mlq.jobs.lifecycle import Event
from mlq.jobs.request import JobClass
from mlq.store import scripts
from mlq.store.connection import RedisClient
from mlq.store.operations import Move
from mlq.store.store import Store
from mlq_worker.agent.history import Patience
from mlq_worker.rebuild.carry_out import carry_out
from mlq_worker.rebuild.plan import Terms, plan
from mlq_worker.rebuild.survey import Found

JOBS = 120
SIDE = CLASS.replace("p0", "p00")


class Altered:
    """The operations with some of their text replaced."""

    def __init__(self, *replaced: tuple[str, str]) -> None:
        assert all(old in scripts.shared() for old, _ in replaced)
        self._replaced = replaced

    def source(self, name: str) -> str:
        text = scripts.source(name)
        for old, new in self._replaced:
            text = text.replace(old, new)
        return text

    def sha1(self, name: str) -> str:
        return hashlib.sha1(self.source(name).encode(), usedforsecurity=False).hexdigest()


SOON = Altered(("MOVED_MOST = 5000", "MOVED_MOST = 20"))
NO_SIDE_LISTS = Altered(
    ("SIDES = 9", "SIDES = 0"), ("return digits and 'p' .. sign .. digits", "return false and ''")
)


@pytest.fixture
def store(redis_client: redis.Redis) -> Iterator[Store]:
    yield Store(RedisClient(redis_client, Path("test.sock")), scripts=SOON)
    assert problems(redis_client) == []


@pytest.fixture
def older(store: Store) -> Store:
    """The operations of a version that knows of no side lists."""
    return Store(store.client, scripts=NO_SIDE_LISTS)


def lists(admin: redis.Redis) -> dict[str, list[str]]:
    """The ids in each list that is not empty, by class."""
    return {
        key.decode().removeprefix("rq:queue:"): [one.decode() for one in admin.lrange(key, 0, -1)]
        for key in admin.scan_iter("rq:queue:*")
    }


def put_back(store: Store, ids: list[str], at_once: int = 15) -> None:
    """Cancel jobs and run them again, some at a time."""
    store.move([Move(one, Event.CANCEL) for one in ids], NOW_S)
    for at in range(0, len(ids), at_once):
        store.move([Move(one, Event.RERUN) for one in ids[at : at + at_once]], NOW_S)


@pytest.fixture
def aside(store: Store, enqueue: Enqueue, admin: redis.Redis) -> list[str]:
    """Jobs of which every second was put back, many of them into a side list."""
    ids = enqueue(JOBS)
    put_back(store, ids[1::2])
    assert len(lists(admin)[SIDE]) > 20
    return ids


def claimed(store: Store, count: int) -> list[str]:
    """The ids that a worker claims that may take any class."""
    found: list[str] = []
    while len(found) < count:
        fits = [(head.class_name, 7) for head in store.peek().heads]
        claims = store.claim(fits, LAB01, 45, NOW_S)
        assert claims, "nobody sees the others"
        assert {one.class_name for one in claims} == {CLASS}
        found += [one.id for one in claims]
    return found


def test_all_are_claimed_in_order_of_submission_several_at_a_time(
    store: Store, aside: list[str], admin: redis.Redis
) -> None:
    first = store.claim([(CLASS, 4), (SIDE, 9)], LAB01, 45, NOW_S)
    assert [one.id for one in first] == aside[:9]
    assert claimed(store, JOBS - 9) == aside[9:]
    assert lists(admin) == {}


def test_a_restored_queue_has_all_in_their_own_list_in_order(
    store: Store, aside: list[str], admin: redis.Redis
) -> None:
    store.client.call("SET", "mlq:queue_id", "0123abcd")
    copy = parsed(Collector(store, "lab01", 86400.0).collect("0123abcd").raw, "copy")
    admin.flushall()
    planned = plan(copy, Found(), Terms(KEY, NOW_S, Patience(3, 5.0), 30))
    owned = Layout(Path("/results"), "0123abcd")
    assert carry_out(store, owned, planned, KEY, pause_s=0).made == JOBS
    assert lists(admin) == {CLASS: aside}
    assert {fields(store, one, "origin")[1] for one in aside} == {CLASS}
    assert claimed(store, JOBS) == aside


def test_no_list_grows_long_before_its_middle_whatever_the_order(
    store: Store, enqueue: Enqueue, admin: redis.Redis
) -> None:
    ids = enqueue(JOBS)
    for step in (2, 3, 5, 7):
        put_back(store, ids[::step][::-1], at_once=11)
        assert problems(admin) == []
    assert len(lists(admin)) > 2
    assert sorted(chain(*lists(admin).values()), key=int) == ids
    assert claimed(store, JOBS) == ids


def test_few_jobs_go_back_into_their_own_list(
    store: Store, enqueue: Enqueue, admin: redis.Redis
) -> None:
    ids = enqueue(40)
    put_back(store, ids[1::2])
    put_back(store, ids[20:21])
    assert lists(admin) == {CLASS: ids}


def test_a_job_that_waits_no_longer_is_of_its_own_class_again(
    store: Store, aside: list[str], admin: redis.Redis, queue: Queue
) -> None:
    canceled, held, delayed, *rest = lists(admin)[SIDE]
    assert fields(store, canceled, "origin") == ["queued", SIDE]
    store.move(
        [
            Move(canceled, Event.CANCEL),
            Move(held, Event.HOLD, fields={"mlq_held": "x"}),
        ],
        NOW_S,
    )
    assert fields(store, canceled, "origin") == ["canceled", CLASS]
    assert fields(store, held, "origin") == ["deferred", CLASS]
    assert problems(admin) == []
    release(store, [held], NOW_S)
    claims = store.claim([(SIDE, 1)], LAB01, 45, NOW_S)
    assert [(one.id, one.class_name) for one in claims] == [(delayed, CLASS)]
    assert fields(store, delayed, "origin") == ["started", CLASS]
    assert len(rest) == len(lists(admin)[SIDE])


def test_held_jobs_that_are_let_go_stand_where_they_stood(
    store: Store, enqueue: Enqueue, admin: redis.Redis
) -> None:
    ids = enqueue(JOBS)
    hold = [Move(one, Event.HOLD, fields={"mlq_held": "x"}) for one in ids[1::2]]
    store.move(hold, NOW_S)
    release(store, ids[1::2][:20], NOW_S)
    release(store, ids[1::2][20:], NOW_S)
    assert set(lists(admin)) == {CLASS, SIDE}
    assert claimed(store, JOBS) == ids


def test_an_edit_leaves_a_job_in_its_side_list_unless_it_changes_its_class(
    store: Store, aside: list[str], admin: redis.Redis
) -> None:
    stays, goes = lists(admin)[SIDE][:2]
    edit(store, KEY, [stays], Changes(time="never"))
    edit(store, KEY, [goes], Changes(cores=2))
    assert fields(store, stays, "origin") == ["queued", SIDE]
    assert fields(store, goes, "origin") == ["queued", CLASS.replace("c1", "c2")]
    aside.remove(goes)
    assert claimed_of(store, CLASS, SIDE) == aside


def claimed_of(store: Store, *classes: str) -> list[str]:
    return [one.id for one in store.claim([(one, JOBS) for one in classes], LAB01, 45, NOW_S)]


def test_explain_counts_those_in_all_lists(store: Store, aside: list[str], queue: Queue) -> None:
    seen = explain(store, queue.settings, queue.views(aside), NOW_S)
    assert [one.ahead for one in seen] == list(range(JOBS))


def test_rqs_tools_see_a_side_list_as_a_queue(
    store: Store, aside: list[str], admin: redis.Redis, redis_client: redis.Redis
) -> None:
    queues = RqQueue.all(connection=redis_client, serializer=JSONSerializer)
    assert sorted(chain(*(one.job_ids for one in queues)), key=int) == aside
    job = Job.fetch(lists(admin)[SIDE][3], connection=redis_client, serializer="json")
    assert (job.origin, job.get_position()) == (SIDE, 3)


def test_an_older_worker_finds_these_jobs_and_loses_none(
    store: Store, older: Store, aside: list[str], admin: redis.Redis
) -> None:
    (first,) = older.claim([(SIDE, 1)], LAB01, 45, NOW_S)
    assert first.class_name == SIDE
    # It finds that another class was signed.
    back = Move(first.id, Event.RELEASE, first.attempt, job_class=CLASS)
    assert older.move([back], NOW_S).moved == (first.id,)
    assert fields(store, first.id, "origin") == ["queued", CLASS]
    assert claimed(store, JOBS) == aside


def test_what_an_older_version_ended_in_a_side_list_goes_back_to_its_own(
    store: Store, older: Store, aside: list[str], admin: redis.Redis
) -> None:
    canceled, running = lists(admin)[SIDE][:2]
    older.move([Move(canceled, Event.CANCEL)], NOW_S)
    assert fields(store, canceled, "origin") == ["canceled", SIDE]
    (mine,) = older.claim([(SIDE, 1)], LAB01, 45, NOW_S)
    assert mine.id == running
    store.move([Move(canceled, Event.RERUN), Move(running, Event.SUCCEED, mine.attempt)], NOW_S)
    assert fields(store, canceled, "origin") == ["queued", CLASS]
    assert fields(store, running, "origin") == ["finished", CLASS]
    aside.remove(running)
    assert claimed(store, JOBS - 1) == aside


def test_a_key_that_is_no_list_is_left_alone(
    store: Store, enqueue: Enqueue, admin: redis.Redis
) -> None:
    ids = enqueue(JOBS)
    admin.set(f"rq:queue:{SIDE}", "of a stranger")
    put_back(store, ids[1::2])
    assert lists_but(admin, SIDE)[CLASS.replace("p0", "p000")]
    admin.delete(f"rq:queue:{SIDE}")
    assert claimed(store, JOBS) == ids


def lists_but(admin: redis.Redis, left_out: str) -> dict[str, int]:
    keys = (key.decode() for key in admin.scan_iter("rq:queue:*"))
    return {
        key.removeprefix("rq:queue:"): int(admin.llen(key))
        for key in keys
        if not key.endswith(left_out)
    }


@pytest.mark.parametrize("priority", [-3, 7, 10**14 - 1, 10**14, -(10**15 - 1)])
def test_of_any_priority_a_side_list_asks_for_the_same_and_is_read_as_that(
    store: Store, enqueue: Enqueue, admin: redis.Redis, priority: int
) -> None:
    ids = enqueue(JOBS, priority=priority)
    put_back(store, ids[1::2])
    found = set(lists(admin))
    assert len(found) > 1 or abs(priority) >= 10**14
    assert {ClassName.parse(one, default_mem_mib=1).priority for one in found} == {priority}
    assert {own_class(one) for one in found} == {CLASS.replace("p0", f"p{priority}")}
    assert sorted(claimed_of(store, *found), key=int) == ids


@pytest.mark.one_server
@pytest.mark.parametrize(
    "name",
    [CLASS, SIDE, "p-0003.c1.m2.g0.v0.s7@gpu*", "p100.c1.m1.g0.v0", "p00", "p00.x", "default", ""],
)
def test_lua_and_python_read_the_names_alike(admin: redis.Redis, name: str) -> None:
    lua = f"ARGV[2] = '{{}}' {scripts.shared()} return own_class(ARGV[1])"
    assert admin.eval(lua, 0, name).decode() == own_class(name)
    parsed = JobClass.parse(name, default_mem_mib=1)
    assert JobClass.parse(own_class(name), default_mem_mib=1) == parsed
