"""Every move names the attempt it speaks of, and a stale one changes nothing."""

from __future__ import annotations

import time

import pytest
import redis
from keyspace import problems
from store_fixtures import LAB02, NOW_S, RUNNING_EVENTS, Enqueue, claim, dump, fields

from mlq.errors import QueueRefusedError
from mlq.jobs.lifecycle import ENDED, TRANSITIONS, WAITING, Event, State, target
from mlq.store.operations import Move
from mlq.store.store import Store


@pytest.mark.parametrize("event", RUNNING_EVENTS)
def test_each_event_of_a_running_job_leads_where_the_table_says(
    store: Store, enqueue: Enqueue, event: Event
) -> None:
    (job,) = enqueue(1)
    (mine,) = claim(store)
    move = Move(job, event, mine.attempt, fields={"mlq_reason": "why"}, result=("type", 1))
    assert store.move([move], NOW_S).moved == (job,)
    assert fields(store, job, "mlq_reason") == [target(event), "why"]
    assert store.held("lab01") == []


@pytest.mark.parametrize("event", RUNNING_EVENTS)
def test_a_stale_attempt_changes_nothing(
    store: Store, enqueue: Enqueue, admin: redis.Redis, event: Event
) -> None:
    (job,) = enqueue(1)
    (first,) = claim(store)
    store.move([Move(job, Event.LOSE, first.attempt, lost_on="lab01")], NOW_S)
    stale = Move(
        job,
        event,
        first.attempt,
        fields={"mlq_reason": "too late"},
        clear=("mlq_spec",),
        result=("type", 1),
        lost_on="lab01",
    )
    for _ in ("while the job waits", "while another attempt runs"):
        before = dump(admin)
        assert store.move([stale], NOW_S).stale == (job,)
        assert dump(admin) == before
        claim(store, LAB02)


@pytest.mark.parametrize("state", [state for state in State if state is not State.SCHEDULED])
def test_an_event_that_cannot_happen_in_a_state_changes_nothing(
    store: Store, enqueue: Enqueue, admin: redis.Redis, state: State
) -> None:
    (parent,) = enqueue(1, priority=-1)
    (job,) = enqueue(1, after=[parent] if state is State.DEFERRED else [])
    if state not in WAITING:
        claim(store)
    reached = {State.FINISHED: Event.SUCCEED, State.FAILED: Event.FAIL}
    if state in ENDED:
        store.move([Move(job, reached.get(state, Event.CANCEL), 1)], NOW_S)
    assert fields(store, job) == [state]
    before = dump(admin)
    for event in Event:
        if (state, event) not in TRANSITIONS and event is not Event.CLAIM:
            assert store.move([Move(job, event)], NOW_S).stale == (job,)
    assert dump(admin) == before


def test_a_running_job_is_moved_only_by_who_names_its_attempt(
    store: Store, enqueue: Enqueue
) -> None:
    (job,) = enqueue(1)
    claim(store)
    assert store.move([Move(job, Event.CANCEL)], NOW_S).stale == (job,)
    assert store.move([Move(job, Event.CANCEL, 1)], NOW_S).moved == (job,)


def test_moves_of_one_call_are_judged_one_by_one(store: Store, enqueue: Enqueue) -> None:
    enqueue(2)
    one, two = claim(store, count=2)
    good = Move(one.id, Event.SUCCEED, one.attempt)
    stale = Move(two.id, Event.SUCCEED, two.attempt + 1)
    done = store.move([good, stale, Move("999", Event.CANCEL)], NOW_S)
    assert (done.moved, done.stale) == ((one.id,), (two.id, "999"))


def test_a_loss_is_counted_and_its_machine_avoided(store: Store, enqueue: Enqueue) -> None:
    (job,) = enqueue(1)
    (mine,) = claim(store)
    store.move([Move(job, Event.LOSE, mine.attempt, lost_on="lab01", avoid="lab01")], NOW_S)
    assert fields(store, job, "mlq_losses", "mlq_avoid") == ["queued", "1", "lab01"]


def test_every_ended_job_says_when(store: Store, enqueue: Enqueue) -> None:
    (job,) = enqueue(1)
    (mine,) = claim(store)
    store.move([Move(job, Event.GIVE_UP, mine.attempt, lost_on="lab01")], NOW_S)
    state, ended_at = fields(store, job, "ended_at")
    assert state == "failed"
    assert ended_at


def test_an_end_from_a_machine_that_has_not_the_attempt_is_stale(
    store: Store, enqueue: Enqueue
) -> None:
    """A queue restored from a backup gave the number to another machine."""
    (job,) = enqueue(1)
    (mine,) = claim(store)
    end = Move(job, Event.LOSE, mine.attempt, machine="lab02")
    assert store.move([end], NOW_S).stale == (job,)
    assert store.move([end._replace(machine="lab01")], NOW_S).moved == (job,)


def test_a_loss_judged_by_the_lease_stands_only_while_the_lease_is_over(
    store: Store, enqueue: Enqueue
) -> None:
    (job,) = enqueue(1)
    (mine,) = claim(store, lease_s=-1)
    (dead,) = store.expired(45, 20).attempts
    assert (dead.id, dead.attempt, dead.machine, dead.boot_id) == (job, 1, "lab01", "boot-a")
    assert dead.expired
    # Its machine is back in the moment between the verdict and the move.
    assert store.renew("lab01", [(job, 1, "")], 45, NOW_S).alive == ((job, 1),)
    late = Move(job, Event.LOSE, mine.attempt, lost_on="lab01", lease=dead.lease)
    assert store.move([late], NOW_S).stale == (job,)
    assert fields(store, job) == ["started"]
    store.renew("lab01", [(job, 1, "")], -1, NOW_S)
    assert store.move([late], NOW_S).stale == (job,)
    (dead,) = store.expired(45, 20).attempts
    assert store.move([late._replace(lease=dead.lease)], NOW_S).moved == (job,)


def test_a_requeued_job_waits_from_now_on(store: Store, enqueue: Enqueue) -> None:
    (job,) = enqueue(1)
    (taken,) = claim(store)
    before = store.reads.rows(("enqueued_at",), [job])
    store.move([Move(job, Event.LOSE, taken.attempt)], time.time() + 3600)
    assert store.reads.rows(("enqueued_at",), [job]) > before


def test_a_job_that_is_handed_back_can_be_put_where_it_belongs(
    store: Store, enqueue: Enqueue, admin: redis.Redis
) -> None:
    (job,) = enqueue(1)
    (taken,) = claim(store)
    belongs = "p0.c9.m2048.g0.v0"
    store.move([Move(job, Event.RELEASE, taken.attempt, job_class=belongs)], NOW_S)
    assert fields(store, job, "origin") == ["queued", belongs]
    assert claim(store) == []
    assert [head.class_name for head in store.peek().heads] == [belongs]
    assert problems(admin) == []


def test_a_move_that_fails_takes_no_other_along_and_can_be_made_again(
    store: Store, enqueue: Enqueue, admin: redis.Redis
) -> None:
    parent, first, last = enqueue(3)
    (child,) = enqueue(1, after=[first])
    claim(store, count=3)
    origin = str(admin.hget(f"rq:job:{first}", "origin"), "ascii")
    # A stranger's key of another kind stands where one of them is to go.
    admin.set(f"rq:failed:{origin}", "x")
    moves = [
        Move(parent, Event.SUCCEED, 1),
        Move(first, Event.FAIL, 1, fields={"mlq_reason": "exit 1"}),
        Move(last, Event.SUCCEED, 1),
    ]
    done = store.move(moves, NOW_S)
    assert done.moved == (parent, last)
    (refused,) = done.refused
    assert (refused.key, "WRONGTYPE" in refused.why) == ((first, 1), True)
    with pytest.raises(QueueRefusedError, match="could not change 1 jobs"):
        done.check()
    assert [fields(store, one) for one in (parent, first, last)] == [
        ["finished"],
        ["started"],
        ["finished"],
    ]
    admin.delete(f"rq:failed:{origin}")
    again = store.move([moves[1]], NOW_S)
    assert (again.moved, again.refused) == ((first,), ())
    assert fields(store, first, "mlq_reason") == ["failed", "exit 1"]
    assert fields(store, child) == ["canceled"]
