"""Behaviour 5: jobs wait for others through rq's own registries, and never for ever."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import redis
from rq.job import Job
from rq.registry import CanceledJobRegistry, DeferredJobRegistry
from rq.serializers import JSONSerializer
from store_fixtures import CLASS, LAB01, NOW_S, Enqueue

from mlq.api.queue import Queue
from mlq.errors import JobNotFoundError
from mlq.jobs.lifecycle import Event, target
from mlq.store.operations import Move
from mlq.store.store import Store
from mlq.submit.submission import Submission


def states(store: Store, *ids: str) -> list[str]:
    return [row[1] for row in store.reads.rows(("status",), ids)]


def reason(store: Store, job_id: str) -> str:
    return store.reads.rows(("status", "mlq_reason"), [job_id])[0][2]


def start(store: Store, job_id: str) -> int:
    (claim,) = store.claim([(CLASS, 1)], LAB01, 45, NOW_S)
    assert claim.id == job_id
    return claim.attempt


def end(store: Store, job_id: str, event: Event = Event.SUCCEED) -> None:
    assert store.move([Move(job_id, event, start(store, job_id))], NOW_S).moved == (job_id,)


def test_a_diamond_runs_from_top_to_bottom(
    store: Store, enqueue: Enqueue, redis_client: redis.Redis
) -> None:
    (top,) = enqueue(1)
    left, right = enqueue(2, after=[top])
    (bottom,) = enqueue(1, after=[left, right])
    assert states(store, top, left, right, bottom) == ["queued"] + ["deferred"] * 3
    registry = DeferredJobRegistry(CLASS, connection=redis_client, serializer=JSONSerializer)
    assert registry.get_job_ids() == [left, right, bottom]
    end(store, top)
    assert states(store, left, right, bottom) == ["queued", "queued", "deferred"]
    end(store, left)
    assert states(store, bottom) == ["deferred"]
    end(store, right)
    assert states(store, bottom) == ["queued"]
    end(store, bottom)


def test_rqs_own_reader_sees_who_waits_for_whom(
    enqueue: Enqueue, redis_client: redis.Redis
) -> None:
    one, two = enqueue(2)
    (child,) = enqueue(1, after=[one, two])
    job = Job.fetch(child, connection=redis_client, serializer=JSONSerializer)
    assert [dependency.id for dependency in job.fetch_dependencies()] == [one, two]
    assert not job.dependencies_are_met()
    parent = Job.fetch(one, connection=redis_client, serializer=JSONSerializer)
    assert parent.dependent_ids == [child]


def test_a_failed_parent_cancels_the_whole_subtree_with_the_reason(
    store: Store, enqueue: Enqueue, redis_client: redis.Redis
) -> None:
    (top,) = enqueue(1)
    (middle,) = enqueue(1, after=[top])
    (low,) = enqueue(1, after=[middle])
    (other,) = enqueue(1, after=[middle, low])
    end(store, top, Event.FAIL)
    assert states(store, middle, low, other) == ["canceled"] * 3
    assert reason(store, middle) == f"parent {top} failed"
    assert reason(store, low) == f"parent {middle} canceled"
    assert store.reads.rows(("status", "ended_at"), [other])[0][2] != ""
    assert DeferredJobRegistry(CLASS, connection=redis_client).get_job_ids(cleanup=False) == []
    canceled = CanceledJobRegistry(CLASS, connection=redis_client).get_job_ids(cleanup=False)
    assert set(canceled) == {middle, low, other}
    # Each is known to the one because of which it was canceled, and to no other.
    assert sorted(redis_client.scan_iter("*dependents")) == sorted(
        f"rq:job:{one}:dependents".encode() for one in (top, middle)
    )


@pytest.mark.parametrize("event", [Event.TIME_OUT, Event.GIVE_UP, Event.CANCEL])
def test_every_bad_end_of_a_parent_counts(store: Store, enqueue: Enqueue, event: Event) -> None:
    (parent,) = enqueue(1)
    (child,) = enqueue(1, after=[parent])
    end(store, parent, event)
    assert states(store, child) == ["canceled"]


@pytest.mark.parametrize("event", [Event.RETRY, Event.LOSE, Event.RELEASE])
def test_a_parent_that_goes_back_to_the_queue_has_not_ended(
    store: Store, enqueue: Enqueue, event: Event
) -> None:
    (parent,) = enqueue(1)
    (child,) = enqueue(1, after=[parent])
    end(store, parent, event)
    assert states(store, parent, child) == [target(event), "deferred"]
    store.move([Move(parent, Event.DUE)], NOW_S)
    end(store, parent)
    assert states(store, child) == ["queued"]


def test_a_canceled_parent_cancels_its_children(store: Store, enqueue: Enqueue) -> None:
    (parent,) = enqueue(1)
    (child,) = enqueue(1, after=[parent])
    store.move([Move(parent, Event.CANCEL)], NOW_S)
    assert states(store, child) == ["canceled"]


def test_after_any_waits_only_for_the_end(store: Store, enqueue: Enqueue) -> None:
    one, two = enqueue(2)
    (child,) = enqueue(1, after=[one, two], after_any=True)
    end(store, one, Event.FAIL)
    assert states(store, child) == ["deferred"]
    store.move([Move(two, Event.CANCEL)], NOW_S)
    assert states(store, child) == ["queued"]


def test_an_unknown_parent_is_refused_and_nothing_is_stored(
    store: Store, enqueue: Enqueue, redis_client: redis.Redis
) -> None:
    (known,) = enqueue(1)
    before = {key for key in redis_client.scan_iter("*") if not key.startswith(b"mlq:reply:")}
    orphan = Submission(argv=("true",), cwd="/", python_env="", after=[known, "999"])
    fine = Submission(argv=("true",), cwd="/", python_env="", name="fine")
    with pytest.raises(JobNotFoundError, match="no job 999"):
        enqueue(fine, orphan)
    after = {key for key in redis_client.scan_iter("*") if not key.startswith(b"mlq:reply:")}
    assert after == before
    assert redis_client.llen(f"rq:queue:{CLASS}") == 1


def test_jobs_of_one_batch_may_follow_each_other(store: Store, enqueue: Enqueue) -> None:
    first = store.reserve_numbers(1) + 1
    alike = {"argv": ("true",), "cwd": "/", "python_env": ""}
    one, two, three = enqueue(
        Submission(**alike),
        Submission(**alike, after=[str(first)]),
        Submission(**alike, after=[str(first + 1)]),
    )
    assert states(store, one, two, three) == ["queued", "deferred", "deferred"]
    end(store, one)
    assert states(store, two, three) == ["queued", "deferred"]
    end(store, two)
    assert states(store, three) == ["queued"]


@pytest.mark.parametrize(
    ("event", "after_any", "state"),
    [
        (Event.SUCCEED, False, "queued"),
        (Event.SUCCEED, True, "queued"),
        (Event.FAIL, False, "canceled"),
        (Event.FAIL, True, "queued"),
        (Event.CANCEL, False, "canceled"),
    ],
)
def test_a_parent_that_has_ended_already_decides_at_once(
    store: Store, enqueue: Enqueue, event: Event, after_any: bool, state: str
) -> None:
    (parent,) = enqueue(1)
    end(store, parent, event)
    (child,) = enqueue(1, after=[parent], after_any=after_any)
    assert states(store, child) == [state]
    if state == "canceled":
        ended = "failed" if event is Event.FAIL else "canceled"
        assert reason(store, child) == f"parent {parent} {ended}"


def test_a_canceled_child_stays_canceled_when_its_parent_ends_well(
    store: Store, enqueue: Enqueue
) -> None:
    (parent,) = enqueue(1)
    (child,) = enqueue(1, after=[parent])
    store.move([Move(child, Event.CANCEL)], NOW_S)
    end(store, parent)
    assert states(store, child) == ["canceled"]


def test_a_retried_tree_waits_for_its_parents_again(
    store: Store, enqueue: Enqueue, queue: Queue
) -> None:
    (top,) = enqueue(1)
    (middle,) = enqueue(1, after=[top])
    (low,) = enqueue(1, after=[middle])
    end(store, top, Event.FAIL)
    assert queue.retry([low, middle, top]).queued == [top, middle, low]
    assert states(store, top, middle, low) == ["queued", "deferred", "deferred"]
    end(store, top)
    end(store, middle)
    assert states(store, low) == ["queued"]


def test_a_child_retried_alone_runs_though_its_parent_failed(
    store: Store, enqueue: Enqueue, queue: Queue
) -> None:
    (parent,) = enqueue(1)
    (child,) = enqueue(1, after=[parent])
    end(store, parent, Event.FAIL)
    queue.retry([child])
    assert states(store, child) == ["queued"]


def test_a_retried_job_starts_with_a_clean_record(
    store: Store, enqueue: Enqueue, queue: Queue, tmp_path: Path
) -> None:
    (job,) = enqueue(1)
    end(store, job, Event.FAIL)
    queue.retry([job])
    view = queue.views([job])[0]
    assert (view.started_at, view.ended_at, view.reason, view.exit_code) == (None, None, "", None)
    assert view.attempt == 1, "attempt numbers go on: they fence what the first one still writes"
    (head,) = store.peek().heads
    assert head.enqueued_at.startswith(time.strftime("%Y-%m-%dT%H:%M", time.gmtime(NOW_S)))
    assert start(store, job) == 2


def test_a_retried_child_waits_for_no_parent_that_ended_meanwhile(
    store: Store, enqueue: Enqueue, queue: Queue
) -> None:
    ends, stays = enqueue(2)
    (child,) = enqueue(1, after=(ends, stays))
    queue.cancel([child])
    queue.cancel([ends])
    queue.retry([child])
    assert states(store, child) == ["deferred"]
    assert store.client.call("SMEMBERS", f"rq:job::{child}:dependencies") == {stays.encode()}
    end(store, stays)
    assert states(store, child) == ["queued"]
