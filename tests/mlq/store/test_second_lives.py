"""A job that is run again puts back those that were canceled because of it, and no others."""

from __future__ import annotations

import pytest
import redis
from store_fixtures import CLASS, LAB01, NOW_S, Enqueue, fields

from mlq.api.queue import Queue
from mlq.jobs.lifecycle import Event
from mlq.store.operations import Move, move_operation
from mlq.store.store import Store


def states(store: Store, *ids: str) -> list[str]:
    return [row[1] for row in store.reads.rows(("status",), ids)]


def end(store: Store, job_id: str, event: Event) -> None:
    (claim,) = store.claim([(CLASS, 1)], LAB01, 45, NOW_S)
    assert store.move([Move(job_id, event, claim.attempt)], NOW_S).moved == (job_id,)


def test_a_retried_parent_puts_back_the_whole_subtree(
    store: Store, enqueue: Enqueue, queue: Queue
) -> None:
    (top,) = enqueue(1)
    (middle,) = enqueue(1, after=[top])
    (low,) = enqueue(1, after=[middle])
    (canceled,) = enqueue(1, after=[top])
    queue.cancel([canceled])
    end(store, top, Event.FAIL)
    (late,) = enqueue(1, after=[top])  # refused when it is submitted
    done = queue.retry([top])
    assert done == ([top], [], [], {middle: top, low: top, late: top})
    assert states(store, top, middle, low, canceled, late) == [
        "queued",
        "deferred",
        "deferred",
        "canceled",
        "deferred",
    ]
    assert fields(store, middle, "mlq_reason", "ended_at", "mlq_refused_by") == [
        "deferred",
        "",
        "",
        "",
    ]
    end(store, top, Event.SUCCEED)
    assert states(store, middle, low, late) == ["queued", "deferred", "queued"]
    # Asked again, it changes nothing.
    assert queue.retry([top]) == ([], [], [top], {})


def test_a_child_of_two_bad_parents_comes_back_with_the_last_of_them(
    store: Store, enqueue: Enqueue, queue: Queue
) -> None:
    one, other = enqueue(2)
    (child,) = enqueue(1, after=[one, other])
    end(store, one, Event.FAIL)
    end(store, other, Event.FAIL)
    assert queue.retry([one]).revived == {}
    assert fields(store, child, "mlq_reason") == ["canceled", f"parent {other} failed"]
    assert queue.retry([other]).revived == {child: other}
    assert states(store, one, other, child) == ["queued", "queued", "deferred"]
    end(store, one, Event.SUCCEED)
    assert states(store, child) == ["deferred"]


def test_what_its_user_canceled_later_stays_canceled(
    store: Store, enqueue: Enqueue, queue: Queue
) -> None:
    (parent,) = enqueue(1)
    (child,) = enqueue(1, after=[parent])
    end(store, parent, Event.FAIL)
    queue.retry([child])
    queue.cancel([child])
    assert queue.retry([parent]).revived == {}
    assert states(store, child) == ["canceled"]


@pytest.mark.one_server
def test_sent_again_it_puts_nothing_back_twice(
    store: Store, enqueue: Enqueue, queue: Queue
) -> None:
    (parent,) = enqueue(1)
    (child,) = enqueue(1, after=[parent])
    end(store, parent, Event.FAIL)
    operation = move_operation([Move(parent, Event.RERUN)], NOW_S)
    (first,) = store.runner.run(operation)
    assert first["revived"] == [[parent, child]]
    queue.cancel([child])
    assert store.runner.run(operation) == [first]
    assert states(store, child) == ["canceled"]


@pytest.mark.one_server
def test_a_large_subtree_is_put_back_whole(
    store: Store, enqueue: Enqueue, queue: Queue, admin: redis.Redis
) -> None:
    (parent,) = enqueue(1)
    children = enqueue(700, after=[parent])
    grandchildren = enqueue(600, after=[children[-1]])
    queue.cancel([parent])
    done = queue.retry([parent])
    assert done.revived == dict.fromkeys(children + grandchildren, parent)
    assert set(states(store, *children, *grandchildren)) == {"deferred"}
    assert admin.llen("mlq:telling") == 0


@pytest.mark.one_server
def test_who_was_not_told_of_the_failure_yet_waits_on(
    store: Store, enqueue: Enqueue, queue: Queue
) -> None:
    (parent,) = enqueue(1)
    children = enqueue(1100, after=[parent])
    store.runner.run(
        move_operation([Move(parent, Event.CANCEL)], NOW_S)
    )  # who does not go on telling
    told = states(store, *children).count("canceled")
    assert 0 < told < len(children)
    assert len(queue.retry([parent]).revived) == told
    assert set(states(store, *children)) == {"deferred"}
    end(store, parent, Event.SUCCEED)
    assert set(states(store, *children)) == {"queued"}


@pytest.mark.one_server
def test_finished_jobs_are_run_again_only_if_that_is_said(
    store: Store, enqueue: Enqueue, queue: Queue
) -> None:
    good, bad = enqueue(2)
    end(store, good, Event.SUCCEED)
    end(store, bad, Event.FAIL)
    assert queue.retry([good, bad]) == ([bad], [], [good], {})
    assert states(store, good) == ["finished"]
    assert queue.retry([good], finished=True).queued == [good]
