"""Signals on their way to running attempts."""

from __future__ import annotations

import pytest
import redis
from store_fixtures import NOW_S, Enqueue, claim, fields

from mlq.jobs.lifecycle import Event
from mlq.jobs.signals import Whom
from mlq.store.operations import Move
from mlq.store.replies import SentSignal
from mlq.store.signals import ask_to_signal
from mlq.store.store import Store

USR1, TERM = 10, 15


def told(store: Store, job: str, attempt: int = 1, *obeyed: str) -> list[tuple[int, str]]:
    """The signals that a worker is told of; it says which was obeyed last."""
    held = [(job, attempt, "", False, "", ["mlq_signaled", *obeyed] if obeyed else [])]
    return [(one.number, one.whom) for one in store.renew("lab01", held, 45, NOW_S).signal]


def test_running_jobs_get_it_until_their_supervisor_has_obeyed(
    store: Store, enqueue: Enqueue
) -> None:
    running, waiting = enqueue(2)
    claim(store)
    ids = [running, waiting, "999"]
    assert ask_to_signal(store, ids, USR1, Whom.PROGRAM) == ([running], [])
    ask_to_signal(store, [running], TERM, Whom.SCRIPT)
    both = [(USR1, "program"), (TERM, "script")]
    assert told(store, running) == both
    assert told(store, running) == both  # the worker died before it could pass them on
    first, second = (one.sequence for one in _signals(store, running))
    assert second > first
    assert told(store, running, 1, str(first)) == [(TERM, "script")]
    assert told(store, running, 1, str(second)) == []
    assert fields(store, running, "mlq_signals") == ["started", ""]
    ask_to_signal(store, [running], USR1, Whom.ALL)
    (third,) = _signals(store, running)
    assert (third.whom, third.sequence > second) == ("all", True)


def _signals(store: Store, job: str) -> tuple[SentSignal, ...]:
    return store.renew("lab01", [(job, 1, "")], 45, NOW_S).signal


def test_it_is_for_one_attempt_only(store: Store, enqueue: Enqueue) -> None:
    (job,) = enqueue(1)
    claim(store)
    ask_to_signal(store, [job], USR1, Whom.PROGRAM)
    store.move([Move(job, Event.RELEASE, 1)], NOW_S)
    assert ask_to_signal(store, [job], USR1, Whom.PROGRAM) == ([], [])
    claim(store)
    assert told(store, job, 2) == []
    assert fields(store, job, "mlq_signals", "mlq_signaled") == ["started", "", ""]


def test_a_queue_that_forgot_the_attempt_tells_none_of_the_one_before(
    store: Store, enqueue: Enqueue
) -> None:
    (job,) = enqueue(1)
    claim(store)
    ask_to_signal(store, [job], USR1, Whom.PROGRAM)
    assert told(store, job, 2) == []  # it takes attempt 2 back
    assert fields(store, job, "mlq_attempt", "mlq_signals") == ["started", "2", ""]


def test_too_many_on_the_way_are_refused(store: Store, enqueue: Enqueue) -> None:
    (job,) = enqueue(1)
    claim(store)
    done = [ask_to_signal(store, [job], USR1, Whom.PROGRAM) for _ in range(33)]
    assert done[-2:] == [([job], []), ([], [job])]
    sequences = [one.sequence for one in store.renew("lab01", [(job, 1, "")], 45, NOW_S).signal]
    assert len(set(sequences)) == 32
    assert sequences == sorted(sequences)
    told(store, job, 1, str(sequences[3]))
    assert ask_to_signal(store, [job], TERM, Whom.PROGRAM) == ([job], [])
    assert len(told(store, job)) == 29


@pytest.mark.parametrize(
    "forged", ["x", "1:1", "9" * 30 + ":1:10:all", "5:1:999:all", "5:2:10:all", "5:-1:10:all"]
)
def test_what_no_client_writes_is_passed_over(
    store: Store, enqueue: Enqueue, admin: redis.Redis, forged: str
) -> None:
    (job,) = enqueue(1)
    claim(store)
    admin.hset(f"rq:job:{job}", mapping={"mlq_signals": forged + " 7:1:10:program"})
    assert told(store, job) == [(USR1, "program")]
