"""Behaviour 1: each job is taken exactly once, the best first, whatever the wire does."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
import redis
from lossy import Lossy
from store_fixtures import LAB01, LAB02, NOW_S, Enqueue, fields
from waiting import wait_for

from mlq.jobs.lifecycle import Event
from mlq.jobs.request import JobClass, Request
from mlq.store.connection import RedisClient
from mlq.store.operations import Move
from mlq.store.replies import Claim
from mlq.store.store import Store
from mlq.submit.submission import Submission
from mlq.units import utc_iso


def classes(store: Store) -> list[tuple[str, int]]:
    return [(head.class_name, 2) for head in store.peek().heads]


def claim(store: Store, *names: str, count: int = 1) -> list[Claim]:
    fits = [(name, count) for name in names] or classes(store)
    return store.claim(fits, LAB01, 45, NOW_S)


@pytest.mark.one_server
def test_eight_claimers_take_each_of_10000_jobs_once(
    store: Store, enqueue: Enqueue, redis_client: redis.Redis
) -> None:
    names = [JobClass(p, Request(c, 100)).name for p in range(4) for c in range(1, 6)]
    jobs = [
        Submission(argv=("true",), cores=c, mem=100, priority=p, cwd="/", python_env="")
        for p in range(4)
        for c in range(1, 6)
    ]
    jobs = jobs[::2] + jobs[1::2]
    ids = enqueue(*(jobs * 500))
    assert len(ids) == 10000
    taken: list[list[str]] = [[] for _ in range(8)]

    def work(mine: list[str]) -> None:
        # Each call takes a connection of its own from the client's pool.
        own = Store(RedisClient(redis_client, Path("test.sock")))
        while claims := own.claim([(name, 8) for name in names], LAB01, 45, NOW_S):
            mine += [one.id for one in claims]

    threads = [threading.Thread(target=work, args=(mine,)) for mine in taken]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    everything = [one for mine in taken for one in mine]
    assert len(everything) == len(set(everything)) == 10000
    assert set(everything) == set(ids)
    assert redis_client.zcard("mlq:leases") == 10000


def test_priority_first_then_order_of_submission_across_classes(
    store: Store, enqueue: Enqueue
) -> None:
    (first,) = enqueue(1, cores=2)
    (second,) = enqueue(1, cores=1)
    (urgent,) = enqueue(1, cores=4, priority=5)
    (third,) = enqueue(1, cores=2)
    order = [one.id for _ in range(4) for one in claim(store, *dict(classes(store)))]
    assert order == [urgent, first, second, third]


def test_a_claim_takes_on_while_its_class_has_the_best_job(store: Store, enqueue: Enqueue) -> None:
    one, two = enqueue(2, cores=1)
    (other,) = enqueue(1, cores=2)
    (three,) = enqueue(1, cores=1)
    assert [c.id for c in store.claim([("p0.c1.m2048.g0.v0", 9)], LAB01, 45, NOW_S)] == [
        one,
        two,
        three,
    ]
    assert [c.id for c in claim(store)] == [other]


def test_an_older_job_of_another_class_ends_the_run(store: Store, enqueue: Enqueue) -> None:
    one, two = enqueue(2, cores=1)
    enqueue(1, cores=2)
    enqueue(1, cores=1)
    fits = [("p0.c1.m2048.g0.v0", 9), ("p0.c2.m2048.g0.v0", 9)]
    assert [c.id for c in store.claim(fits, LAB01, 45, NOW_S)] == [one, two]


def test_each_claim_is_a_new_attempt_and_requeueing_restores_the_place(
    store: Store, enqueue: Enqueue
) -> None:
    ids = enqueue(4)
    first, second = store.claim([("p0.c1.m2048.g0.v0", 2)], LAB01, 45, NOW_S)
    lose = [Move(one.id, Event.LOSE, one.attempt, lost_on="lab01") for one in (second, first)]
    assert store.move(lose, NOW_S).moved == (second.id, first.id)
    again = store.claim([("p0.c1.m2048.g0.v0", 9)], LAB02, 45, NOW_S)
    assert [(one.id, one.attempt, one.losses) for one in again] == [
        (ids[0], 2, 1),
        (ids[1], 2, 1),
        (ids[2], 1, 0),
        (ids[3], 1, 0),
    ]


def test_a_machine_lost_under_a_job_lets_others_go_first_unless_there_is_no_other(
    store: Store, enqueue: Enqueue
) -> None:
    (job,) = enqueue(1)
    store.renew("lab01", [], 45, NOW_S)
    store.renew("lab02", [], 45, NOW_S)
    (mine,) = claim(store)
    store.move([Move(job, Event.LOSE, mine.attempt, avoid="lab01")], NOW_S, avoid_s=60)
    assert claim(store) == []
    (theirs,) = store.claim(classes(store), LAB02, 45, NOW_S)
    assert (theirs.id, theirs.attempt) == (job, 2)
    store.move([Move(job, Event.LOSE, 2, avoid="lab02")], NOW_S, avoid_s=60)
    store.client.call("ZREM", "mlq:machines", "lab01")
    assert [one.id for one in store.claim(classes(store), LAB02, 45, NOW_S)] == [job]


def test_an_avoided_machine_takes_the_job_once_others_had_their_chance(
    store: Store, enqueue: Enqueue
) -> None:
    (job,) = enqueue(1)
    store.renew("lab01", [], 45, NOW_S)
    store.renew("lab02", [], 45, NOW_S)
    (mine,) = claim(store)
    store.move([Move(job, Event.LOSE, mine.attempt, avoid="lab01")], NOW_S, avoid_s=0.3)
    assert claim(store) == []
    (again,) = wait_for(lambda: claim(store), what="the avoided machine to claim")
    assert (again.id, again.attempt) == (job, 2)


def test_a_retry_waits_for_its_time_and_then_for_another_machine(
    store: Store, enqueue: Enqueue
) -> None:
    (job,) = enqueue(1)
    store.renew("lab01", [], 45, NOW_S)
    store.renew("lab02", [], 45, NOW_S)
    (mine,) = claim(store)
    store.move([Move(job, Event.RETRY, mine.attempt, avoid="lab01", pause_s=0.3)], NOW_S)
    assert fields(store, job) == ["scheduled"]
    assert store.due() == []
    assert wait_for(store.due, what="the retry to be due") == [job]
    # Long after the pause began: what counts is since when others may take it.
    assert store.move([Move(job, Event.DUE)], NOW_S, avoid_s=60).moved == (job,)
    assert claim(store) == []
    assert [one.id for one in store.claim(classes(store), LAB02, 45, NOW_S)] == [job]


def test_a_lost_reply_changes_nothing_twice(
    store: Store, enqueue: Enqueue, redis_client: redis.Redis, tmp_path: Path
) -> None:
    with Lossy(redis_client, tmp_path) as lossy:
        fragile = Store(RedisClient(lossy.client, lossy.path))
        fragile.peek()

        lossy.drop_next_reply()
        assert fragile.reserve_numbers(3) == 1
        assert store.reserve_numbers(1) == 4

        (job,) = enqueue(1)
        lossy.drop_next_reply()
        (first,) = fragile.claim(classes(store), LAB01, 45, NOW_S)
        assert (first.id, first.attempt) == (job, 1)
        assert redis_client.zrange("mlq:leases", 0, -1) == [f"{job}:1".encode()]

        lossy.drop_next_reply()
        lose = [Move(job, Event.LOSE, 1, lost_on="lab01")]
        assert fragile.move(lose, NOW_S).moved == (job,)
        assert redis_client.hget(f"rq:job:{job}", "mlq_losses") == b"1"
        assert redis_client.lrange("rq:queue:p0.c1.m2048.g0.v0", 0, -1) == [job.encode()]

        (again,) = claim(store)
        lossy.drop_next_reply()
        done = [Move(job, Event.SUCCEED, again.attempt, result=("type", 1))]
        assert fragile.move(done, NOW_S).moved == (job,)
        assert redis_client.xlen(f"rq:results:{job}") == 1

        (waiting,) = enqueue(1)
        lossy.drop_next_reply()
        assert fragile.move([Move(waiting, Event.CANCEL)], NOW_S).moved == (waiting,)
        assert lossy.dropped == 5


def test_enqueueing_over_a_lossy_wire_stores_each_job_once(
    store: Store, redis_client: redis.Redis, tmp_path: Path
) -> None:
    from store_fixtures import sign

    jobs = sign(store, *(Submission(argv=("true",), cwd="/", python_env="") for _ in range(3)))
    with Lossy(redis_client, tmp_path) as lossy:
        fragile = Store(RedisClient(lossy.client, lossy.path))
        fragile.peek()
        fragile.submit([], utc_iso(NOW_S))
        lossy.drop_next_reply()
        fragile.submit(jobs, utc_iso(NOW_S))
        assert lossy.dropped == 1
    assert redis_client.llen("rq:queue:p0.c1.m2048.g0.v0") == 3


def test_ids_that_other_tools_deleted_are_passed_over(
    store: Store, enqueue: Enqueue, redis_client: redis.Redis
) -> None:
    gone, there = enqueue(2)
    for key in (f"rq:job:{gone}",):
        redis_client.delete(key)
    for index in ("mlq:jobs", "mlq:unended"):
        redis_client.zrem(index, gone)
    assert [one.id for one in claim(store)] == [there]
    assert redis_client.llen("rq:queue:p0.c1.m2048.g0.v0") == 0


def test_a_machine_that_is_soon_gone_takes_no_job_with_a_longer_time_limit(
    store: Store, enqueue: Enqueue
) -> None:
    timed = Submission(argv=("true",), cwd="/", python_env="", time="5m")
    long = [replace(timed, time="2h")] * 20
    *_, short, unlimited = enqueue(*long, timed, replace(timed, time=None))
    fits = [(head.class_name, 40) for head in store.peek().heads]
    assert [one.id for one in store.claim(fits, LAB01, 45, NOW_S, left_s=299.0)] == [unlimited]
    assert [one.id for one in store.claim(fits, LAB01, 45, NOW_S, left_s=300.0)] == [short]
    assert len(store.claim(fits, LAB01, 45, NOW_S)) == 20


def test_only_the_jobs_that_were_judged_are_claimed(store: Store, enqueue: Enqueue) -> None:
    # A machine that is kept free for a big job takes one whose time limit ends in time. By the time
    # it claims, another machine has taken that, and the next in line of its class has no limit.
    timed = Submission(argv=("true",), cwd="/", python_env="", time="5m")
    limited, unlimited = enqueue(timed, replace(timed, time=None))
    fits = [(head.class_name, 1) for head in store.peek().heads]
    assert [one.id for one in store.claim(fits, LAB02, 45, NOW_S)] == [limited]
    assert store.claim(fits, LAB01, 45, NOW_S, only=[limited]) == []
    assert [one.id for one in store.claim(fits, LAB01, 45, NOW_S, only=[unlimited])] == [unlimited]
