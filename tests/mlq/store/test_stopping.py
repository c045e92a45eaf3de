"""A running job is asked to stop; what becomes of the wish."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from store_fixtures import NOW_S, Enqueue, claim, fields

from mlq.api.queue import Queue
from mlq.jobs.lifecycle import Event
from mlq.store.operations import Move
from mlq.store.store import Store


def test_only_running_jobs_are_asked_to_stop_and_their_worker_hears_it(
    store: Store, enqueue: Enqueue
) -> None:
    running, waiting = enqueue(2)
    claim(store)
    assert store.ask_to_stop([running, waiting, "999"], "canceled") == [running]
    renewal = store.renew("lab01", [(running, 1, "")], 45, NOW_S)
    assert renewal.stop == {(running, 1): "canceled"}
    assert store.held("lab01")[0].stop == "canceled"


def test_a_wish_to_stop_ends_with_the_attempt(store: Store, enqueue: Enqueue, queue: Queue) -> None:
    (job,) = enqueue(1)
    claim(store)
    queue.cancel([job])
    store.move([Move(job, Event.CANCEL, 1)], NOW_S)
    queue.retry([job])
    (again,) = claim(store)
    assert store.renew("lab01", [(job, again.attempt, "")], 45, NOW_S).stop == {}


@pytest.mark.parametrize("event", [Event.RETRY, Event.LOSE, Event.RELEASE])
def test_a_job_that_is_to_stop_is_not_queued_again_whatever_its_worker_knows(
    store: Store, enqueue: Enqueue, queue: Queue, event: Event
) -> None:
    """The attempt ended, and was judged, before its worker heard that its user canceled it."""
    (job,) = enqueue(1)
    (child,) = enqueue(1, after=[job])
    (mine,) = claim(store)
    assert queue.cancel([job], "canceled by ann") == ([], [job])
    move = Move(job, event, mine.attempt, fields={"mlq_reason": "x"}, clear=("mlq_stop",))
    assert store.move([move], NOW_S).moved == (job,)
    assert fields(store, job, "mlq_reason") == ["canceled", "canceled by ann"]
    assert fields(store, job, "ended_at")[1]
    assert fields(store, child) == ["canceled"]


def test_what_ended_before_it_could_be_stopped_keeps_its_end(
    store: Store, enqueue: Enqueue, queue: Queue
) -> None:
    (job,) = enqueue(1)
    claim(store)
    queue.cancel([job])
    store.move([Move(job, Event.SUCCEED, 1)], NOW_S)
    assert fields(store, job) == ["finished"]
    assert queue.cancel([job]) == ([], [])


class Interrupted(Store):
    """A store in which something happens to a job just before it is asked to stop."""

    def __init__(self, inner: Store, happens: list[Move]) -> None:
        super().__init__(inner.client)
        self.happens = happens

    def ask_to_stop(self, ids: Iterator[str], reason: str) -> list[str]:  # type: ignore[override]
        if self.happens:
            self.move([self.happens.pop()], NOW_S)
        return super().ask_to_stop(ids, reason)


def test_a_job_requeued_while_it_is_canceled_is_canceled_in_the_queue(
    store: Store, enqueue: Enqueue, queue: Queue
) -> None:
    (job,) = enqueue(1)
    claim(store)
    queue.store = Interrupted(store, [Move(job, Event.LOSE, 1, lost_on="lab01")])
    assert queue.cancel([job]) == ([job], [])
    assert fields(store, job) == ["canceled"]


def test_canceling_says_what_is_done_and_what_will_be(
    store: Store, enqueue: Enqueue, queue: Queue
) -> None:
    running, waiting, ended = enqueue(3)
    (child,) = enqueue(1, after=[waiting])
    store.move([Move(ended, Event.CANCEL)], NOW_S)
    claim(store)
    assert queue.cancel([running, waiting, ended, child]) == ([waiting, child], [running])
    assert fields(store, child, "mlq_reason") == ["canceled", "canceled"]


def test_only_running_jobs_are_asked_for_and_a_cancel_stays(
    store: Store, enqueue: Enqueue, queue: Queue
) -> None:
    running, canceled, waiting = enqueue(3)
    claim(store, count=2)
    queue.cancel([canceled])
    done = queue.requeue([running, canceled, waiting])
    assert done == ([running], [waiting], [canceled], [])
    held = [(running, 1, ""), (canceled, 1, "")]
    renewal = store.renew("lab01", held, 45, NOW_S)
    assert renewal.requeue == {(running, 1): "queued again by its user"}
    assert renewal.stop == {(canceled, 1): "canceled"}


def test_a_wish_to_be_queued_again_ends_with_the_attempt(
    store: Store, enqueue: Enqueue, queue: Queue
) -> None:
    (job,) = enqueue(1)
    (mine,) = claim(store)
    queue.requeue([job])
    store.move([Move(job, Event.RELEASE, mine.attempt, clear=("mlq_wish",))], NOW_S)
    (again,) = claim(store)
    assert store.renew("lab01", [(job, again.attempt, "")], 45, NOW_S).requeue == {}
    queue.cancel([job])
    store.move([Move(job, Event.CANCEL, again.attempt)], NOW_S)
    assert queue.requeue([job]).ended == [job]


def test_a_job_that_asks_for_a_pause_is_scheduled_for_that_long_and_then_queued(
    store: Store, enqueue: Enqueue
) -> None:
    (job,) = enqueue(1)
    claim(store)
    assert store.ask_to_requeue([job], "nothing to do", 3600, "2026-11-28T08:00:00Z") == ([job], [])
    store.move([Move(job, Event.RELEASE, 1, clear=("mlq_wish",))], NOW_S)
    assert fields(store, job, "mlq_due") == ["scheduled", "2026-11-28T08:00:00Z"]
    assert claim(store) == []
    store.move([Move(job, Event.DUE)], NOW_S)
    (again,) = claim(store)
    # The pause was for once.
    store.move([Move(job, Event.RELEASE, again.attempt)], NOW_S)
    assert fields(store, job) == ["queued"]


def test_a_job_canceled_while_it_asks_for_a_pause_is_canceled(
    store: Store, enqueue: Enqueue, queue: Queue
) -> None:
    (job,) = enqueue(1)
    claim(store)
    store.ask_to_requeue([job], "nothing to do", 3600, "2026-11-28T08:00:00Z")
    queue.cancel([job], "canceled by ann")
    store.move([Move(job, Event.RELEASE, 1)], NOW_S)
    assert fields(store, job, "mlq_reason") == ["canceled", "canceled by ann"]
