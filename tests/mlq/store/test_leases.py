"""Leases, roles and reservations belong to one machine at a time, and end."""

from __future__ import annotations

import redis
from store_fixtures import LAB02, NOW_S, Enqueue, claim, fields

from mlq.jobs.lifecycle import Event
from mlq.store.operations import Move
from mlq.store.store import Store


def test_renewing_tells_what_is_ours_and_what_is_lost(store: Store, enqueue: Enqueue) -> None:
    enqueue(2)
    one, two = claim(store, lease_s=1, count=2)
    store.move([Move(two.id, Event.LOSE, two.attempt, lost_on="lab01")], NOW_S)
    held = [(one.id, 1, "0.5"), (two.id, 1, "")]
    renewal = store.renew("lab01", held, 45, NOW_S)
    assert renewal.alive == ((one.id, 1),)
    assert renewal.lost == ((two.id, 1),)
    assert fields(store, one.id, "mlq_progress") == ["started", "0.5"]


def test_a_renewal_carries_what_is_known_of_an_attempt(store: Store, enqueue: Enqueue) -> None:
    enqueue(2)
    one, two = claim(store, lease_s=1, count=2)
    told = ["mlq_metrics", '{"loss":[1,1,1,1,1,1]}', "mlq_notes", "a note"]
    held = [(one.id, 1, "0.5", False, "", told), (two.id, 1, "", True, "", told)]
    for _ in range(2):
        store.renew("lab01", held, 45, NOW_S)
    names = ("mlq_progress", "mlq_metrics", "mlq_notes")
    assert fields(store, one.id, *names) == ["started", "0.5", told[1], told[3]]
    assert fields(store, two.id, *names) == ["started", "", "", ""]
    store.renew("lab02", [(one.id, 1, "0.9", False, "", ["mlq_metrics", "x"])], 45, NOW_S)
    assert fields(store, one.id, *names) == ["started", "0.5", told[1], told[3]]
    assert store.renew("lab01", [(one.id, 1, "", False, "", [])], 45, NOW_S).alive


def test_what_is_found_after_an_end_is_told_of_that_attempt_only(
    store: Store, enqueue: Enqueue
) -> None:
    enqueue(2)
    one, two = claim(store, count=2)
    store.move([Move(one.id, Event.SUCCEED, 1)], NOW_S)
    told = ["mlq_metrics", "{}"]
    for _ in range(2):
        store.annotate([(one.id, 1, told), (one.id, 2, ["mlq_used", "x"]), (two.id, 1, told)])
    assert fields(store, one.id, "mlq_metrics", "mlq_used") == ["finished", "{}", ""]
    assert fields(store, two.id, "mlq_metrics") == ["started", ""]
    store.annotate([("99", 1, told), (one.id, 1, [])])


def test_the_longest_silent_come_first(store: Store, enqueue: Enqueue) -> None:
    one, two, three = enqueue(3)
    claim(store, lease_s=-10)
    claim(store, LAB02, lease_s=-99)
    claim(store, lease_s=45)
    assert [attempt.id for attempt in store.expired(45, 20).attempts] == [two, one]
    assert [attempt.id for attempt in store.expired(45, 20, limit=1).attempts] == [two]
    assert {held.id for held in store.held("lab01")} == {one, three}
    for machine in ("lab01", "lab02", "idle"):
        store.renew(machine, [], 45, 0.0)
    assert set(store.expired(45, 20).holders) == {"lab01", "lab02"}


def test_a_lease_that_is_not_renewed_is_told_of_before_it_ends(
    store: Store, enqueue: Enqueue
) -> None:
    enqueue(1)
    claim(store, lease_s=20)
    (quiet,) = store.expired(45, 20).attempts
    assert not quiet.expired
    store.renew("lab01", [(quiet.id, 1, "")], 45, NOW_S)
    assert store.expired(45, 20).attempts == ()


def test_a_lease_made_before_the_clock_was_set_back_is_told_of(
    store: Store, enqueue: Enqueue
) -> None:
    enqueue(1)
    claim(store, lease_s=45 + 3600)
    (future,) = store.expired(45, 20).attempts
    assert not future.expired
    assert store.expired(45, 20).attempts == (future,)


def test_an_attempt_is_renewed_by_the_machine_that_runs_it_only(
    store: Store, enqueue: Enqueue
) -> None:
    # After a restored backup the queue may have given the same attempt to another machine.
    (job,) = enqueue(1)
    claim(store)
    assert store.renew("lab02", [(job, 1, "")], 45, NOW_S).lost == ((job, 1),)
    assert store.renew("lab01", [(job, 1, "")], 45, NOW_S).alive == ((job, 1),)


def test_a_role_has_one_holder_until_it_lets_it_expire(
    store: Store, redis_client: redis.Redis
) -> None:
    assert store.roles.hold_role("reaper", "lab01", 30) == "lab01"
    assert store.roles.hold_role("reaper", "lab01", 30) == "lab01"
    assert store.roles.hold_role("reaper", "lab02", 30) == "lab01"
    assert store.roles.hold_role("janitor", "lab02", 30) == "lab02"
    assert 0 < redis_client.pttl("mlq:reaper") <= 30000
    redis_client.delete("mlq:reaper")
    assert store.roles.hold_role("reaper", "lab02", 30) == "lab02"


def test_a_role_is_free_although_the_servers_clock_was_set_back(
    store: Store, redis_client: redis.Redis
) -> None:
    other = Store(store.client)
    assert store.roles.hold_role("reaper", "lab01", 30, 0) == "lab01"
    redis_client.expire("mlq:reaper", 3600)  # as after the clock was set back
    assert other.roles.hold_role("reaper", "lab02", 30, 1000) == "lab01"
    assert other.roles.hold_role("reaper", "lab02", 30, 1029) == "lab01"
    store.roles.hold_role("reaper", "lab01", 30, 29)  # its holder is there
    redis_client.expire("mlq:reaper", 3600)
    assert other.roles.hold_role("reaper", "lab02", 30, 1031) == "lab01"
    assert other.roles.hold_role("reaper", "lab02", 30, 1060) == "lab01"
    assert other.roles.hold_role("reaper", "lab02", 30, 1061) == "lab02"
    assert store.roles.hold_role("reaper", "lab01", 30, 61) == "lab02"


def test_a_machine_holds_one_reservation_and_a_job_has_one_machine(
    store: Store, enqueue: Enqueue
) -> None:
    one, two = enqueue(2)
    assert store.reserve_machine(one, "lab01", 30) == "lab01"
    assert store.reserve_machine(one, "lab01", 30) == "lab01"
    assert store.reserve_machine(one, "lab02", 30) == "lab01"
    assert store.reserve_machine(two, "lab01", 30) == ""
    assert store.reserve_machine(two, "lab02", 30) == "lab02"
    assert store.peek().reservations == {one: "lab01", two: "lab02"}


def test_a_reservation_ends_when_it_is_not_repeated(store: Store, enqueue: Enqueue) -> None:
    one, two = enqueue(2)
    store.reserve_machine(one, "lab01", -1)
    assert store.peek().reservations == {}
    assert store.reserve_machine(two, "lab01", 30) == "lab01"
    assert store.reserve_machine(one, "lab02", 30) == "lab02"


def test_a_reservation_ends_with_the_waiting(store: Store, enqueue: Enqueue) -> None:
    one, two, three = enqueue(3)
    for job, machine in ((one, "lab01"), (two, "lab02")):
        store.reserve_machine(job, machine, 30)
    claim(store)
    store.move([Move(two, Event.CANCEL)], NOW_S)
    assert store.peek().reservations == {}
    assert store.reserve_machine(three, "lab01", 30) == "lab01"
