"""Jobs that are held: who they are, how they are let go, and that nothing brings them back."""

from __future__ import annotations

import pytest
import redis
from rq import Queue as RqQueue
from rq.registry import DeferredJobRegistry, ScheduledJobRegistry, clean_registries
from store_fixtures import CLASS, LAB02, NOW_S, Enqueue, claim, fields

from mlq.api.many import held_jobs, hold_waiting, release
from mlq.jobs.lifecycle import Event
from mlq.jobs.needs import word_of
from mlq.store.operations import Move
from mlq.store.store import Store


def word(store: Store, job: str) -> str:
    return word_of(fields(store, job, "mlq_needs")[1], "s")


def test_what_waits_of_a_command_is_held_and_nothing_else(store: Store, enqueue: Enqueue) -> None:
    jobs = enqueue(5)
    (other,) = enqueue(1)
    store.client.call("HSET", f"rq:job:{other}", "mlq_needs", "f1 s0123456789")
    (running,) = claim(store)
    parent, child = jobs[1], enqueue(1, after=[jobs[1]])[0]
    held = hold_waiting(store, word(store, jobs[0]), "it fails", NOW_S)
    assert held == [one for one in jobs if one != running.id] == held_jobs(store)
    assert fields(store, parent, "mlq_held", "mlq_reason") == ["deferred", "it fails", "it fails"]
    assert fields(store, other) == ["queued"]
    assert fields(store, child) == ["deferred"]
    assert [one.id for one in claim(store, count=9)] == [other]


@pytest.mark.parametrize("event", [Event.RETRY, Event.RELEASE, Event.LOSE])
def test_what_ran_meanwhile_is_held_when_it_would_go_back(
    store: Store, enqueue: Enqueue, event: Event
) -> None:
    (job,) = enqueue(1)
    (mine,) = claim(store)
    hold_waiting(store, word(store, job), "it fails", NOW_S)
    store.move([Move(job, event, mine.attempt)], NOW_S)
    assert fields(store, job, "mlq_held") == ["deferred", "it fails"]


def test_a_retry_that_is_due_is_held_too(store: Store, enqueue: Enqueue) -> None:
    (job,) = enqueue(1)
    (mine,) = claim(store)
    store.move([Move(job, Event.RETRY, mine.attempt, pause_s=60)], NOW_S)
    assert hold_waiting(store, word(store, job), "it fails", NOW_S) == [job]


def test_a_later_job_of_the_command_runs(store: Store, enqueue: Enqueue) -> None:
    (job,) = enqueue(1)
    hold_waiting(store, word(store, job), "it fails", NOW_S)
    (later,) = enqueue(1)
    (mine,) = claim(store)
    store.move([Move(later, Event.RELEASE, mine.attempt)], NOW_S)
    assert (mine.id, fields(store, later)) == (later, ["queued"])


def test_what_its_user_let_go_is_back_in_its_place_and_is_not_held_again(
    store: Store, enqueue: Enqueue
) -> None:
    jobs = enqueue(3)
    reason = word(store, jobs[0])
    hold_waiting(store, reason, "it fails", NOW_S)
    (later,) = enqueue(1)
    assert release(store, [jobs[1], later], NOW_S) == ([jobs[1]], [later])
    assert fields(store, jobs[1], "mlq_held") == ["queued", ""]
    assert hold_waiting(store, reason, "it fails", NOW_S) == [later]
    assert [one.id for one in claim(store, count=9)] == [jobs[1]]
    assert release(store, held_jobs(store), NOW_S)[0] == [jobs[0], jobs[2], later]


def test_a_job_that_waits_for_its_parent_is_not_let_go(store: Store, enqueue: Enqueue) -> None:
    (parent,) = enqueue(1)
    (child,) = enqueue(1, after=[parent])
    assert release(store, [child], NOW_S) == ([], [child])
    assert fields(store, child) == ["deferred"]


def test_a_held_job_can_be_canceled(store: Store, enqueue: Enqueue) -> None:
    (job,) = enqueue(1)
    hold_waiting(store, word(store, job), "it fails", NOW_S)
    store.move([Move(job, Event.CANCEL)], NOW_S)
    assert fields(store, job, "mlq_held") == ["canceled", ""]
    assert held_jobs(store) == []


def test_rqs_clean_up_leaves_retries_and_held_jobs_alone(
    store: Store, enqueue: Enqueue, redis_client: redis.Redis
) -> None:
    retried, held = enqueue(2)
    (mine,) = claim(store)
    store.move([Move(retried, Event.RETRY, mine.attempt, pause_s=60)], NOW_S)
    store.client.call("HSET", f"rq:job:{retried}", "mlq_needs", "")
    hold_waiting(store, word(store, held), "it fails", NOW_S)
    queue = RqQueue(CLASS, connection=redis_client)
    clean_registries(queue)
    assert ScheduledJobRegistry(queue=queue).get_job_ids() == [retried]
    assert DeferredJobRegistry(queue=queue).get_job_ids() == [held]
    assert [fields(store, one)[0] for one in (retried, held)] == ["scheduled", "deferred"]


def test_starts_are_remembered_as_they_were(store: Store, enqueue: Enqueue) -> None:
    one, two, three = enqueue(3)
    first, second, third = claim(store, count=2) + claim(store, LAB02)
    store.move([Move(one, Event.FAIL, first.attempt, start="bad")], NOW_S)
    store.move([Move(two, Event.SUCCEED, second.attempt, start="good")], NOW_S)
    store.note_starts("lab02", [(three, "good")])
    store.move([Move(three, Event.FAIL, third.attempt, start="")], NOW_S)
    store.renew("lab01", [], 45, NOW_S)
    known = word(store, one)
    told = store.starts([known], 45)
    assert told["starts"][known] == [f"lab02 good {three}", f"lab01 good {two}", f"lab01 bad {one}"]
    assert told["last"] == {"lab01": "good", "lab02": "good"}
    assert told["living"] == ["lab01"]
