"""Jobs that failed through their machine run again elsewhere, and their sweep goes on."""

from __future__ import annotations

import time

import redis
from store_fixtures import LAB01, LAB02, NOW_S, Enqueue, admin, claim, enqueue, fields, store

from mlq.api.taking_back import MOST, take_back
from mlq.jobs.lifecycle import Event
from mlq.store.operations import Move
from mlq.store.store import Store
from mlq.store.sweeps import forgive_sweeps, open_sweep

__all__ = ["admin", "enqueue", "store"]


def test_a_failed_job_goes_back_to_its_place_and_others_take_it_first(
    store: Store, enqueue: Enqueue, admin: redis.Redis
) -> None:
    admin.zadd("mlq:machines", dict.fromkeys(("lab01", "lab02"), time.time()))
    job, later = enqueue(2)
    (mine,) = claim(store)
    store.move([Move(job, Event.FAIL, mine.attempt, fields={"mlq_reason": "exit 3"})], NOW_S)
    assert take_back(store, [job, later, "99"], "lab01", NOW_S, 60) == [job]
    state, reason = fields(store, job, "mlq_reason")
    assert (state, reason) == ("queued", "taken back from lab01, which is set aside")
    (next_here,) = claim(store, LAB01)
    assert next_here.id == later
    (elsewhere,) = claim(store, LAB02)
    assert elsewhere.id == job


def test_a_job_is_taken_back_only_so_often(store: Store, enqueue: Enqueue) -> None:
    (job,) = enqueue(1)
    for times in range(MOST + 1):
        (mine,) = claim(store)
        store.move([Move(job, Event.FAIL, mine.attempt)], NOW_S)
        assert bool(take_back(store, [job], "lab02", NOW_S, 0)) is (times < MOST)


def test_a_sweep_that_was_held_for_these_failures_goes_on(store: Store, admin: redis.Redis) -> None:
    one = open_sweep(store, "one", {"varying": "[]"}, "2026-11-23T22:15:01.123456Z")
    other = open_sweep(store, "other", {"varying": "[]"}, "2026-11-23T22:15:01.123456Z")
    admin.hset(f"mlq:sweep:{one.number}", mapping={"failing": 1, "held": "why", "fails": 5})
    admin.hset(f"mlq:sweep:{other.number}", mapping={"held": "by its user", "fails": 2})
    assert forgive_sweeps(store, [one.number, other.number]) == [one.number]
    held = [admin.hget(f"mlq:sweep:{sweep.number}", "held") for sweep in (one, other)]
    assert held == [None, b"by its user"]
    assert admin.hget(f"mlq:sweep:{other.number}", "fails") is None
