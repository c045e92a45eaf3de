"""Every write names the attempt it speaks of, and a stale one changes nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from keyspace import problems
from redis_server import RedisServer
from store_fixtures import LAB01, LAB02, Enqueue

from mlq.lifecycle import ENDED, TRANSITIONS, WAITING, Event, State, sources, target
from mlq.operations import Claimant, Move
from mlq.queues import Queue
from mlq.replies import Claim
from mlq.store import PAGE, Store
from mlq.submission import Submission

CLASS = "p0.c1.m2048.g0.v0"
NOW_S = time.time()
RUNNING_EVENTS = [event for event in Event if State.STARTED in sources(event)]


def claim(store: Store, who: Claimant = LAB01, lease_s: float = 45, count: int = 1) -> list[Claim]:
    return store.claim([(CLASS, count)], who, lease_s, NOW_S)


def fields(store: Store, job_id: str, *names: str) -> list[str]:
    return store.rows(("status", *names), [job_id])[0][1:]


def dump(client: redis.Redis) -> dict[bytes, bytes | None]:
    keys = [key for key in client.scan_iter("*") if not key.startswith(b"mlq:reply:")]
    return {key: client.dump(key) for key in keys}


def time_of(client: redis.Redis) -> float:
    seconds, microseconds = client.time()
    return float(seconds) + float(microseconds) / 1e6


@pytest.fixture
def admin(redis_server: RedisServer, redis_client: redis.Redis) -> redis.Redis:
    """Sees everything, may do anything; the queue was emptied first."""
    return redis_server.admin


@pytest.fixture
def queue(store: Store, redis_server: RedisServer) -> Queue:
    return Queue(store, redis_server.settings, key=b"k" * 64, clock=lambda: NOW_S)


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
    store.move([Move(job, Event.LOSE, mine.attempt, lost_on="lab01")], NOW_S, avoid_s=90)
    assert fields(store, job, "mlq_losses", "mlq_avoid") == ["queued", "1", "lab01"]


def test_every_ended_job_says_when(store: Store, enqueue: Enqueue) -> None:
    (job,) = enqueue(1)
    (mine,) = claim(store)
    store.move([Move(job, Event.GIVE_UP, mine.attempt, lost_on="lab01")], NOW_S)
    state, ended_at = fields(store, job, "ended_at")
    assert state == "failed"
    assert ended_at


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


# --- stopping -----------------------------------------------------------------------------------


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
    assert queue.cancel([running, waiting, ended, child]) == ([waiting], [running])
    assert fields(store, child, "mlq_reason") == ["canceled", f"parent {waiting} canceled"]


# --- leases and roles ---------------------------------------------------------------------------


def test_renewing_tells_what_is_ours_and_what_is_lost(store: Store, enqueue: Enqueue) -> None:
    enqueue(2)
    one, two = claim(store, lease_s=1, count=2)
    store.move([Move(two.id, Event.LOSE, two.attempt, lost_on="lab01")], NOW_S)
    held = [(one.id, 1, "0.5"), (two.id, 1, ""), (one.id, 7, ""), ("999", 1, "")]
    renewal = store.renew("lab01", held, 45, NOW_S)
    assert renewal.alive == ((one.id, 1),)
    assert renewal.lost == ((two.id, 1), (one.id, 7), ("999", 1))
    assert fields(store, one.id, "mlq_progress") == ["started", "0.5"]


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
    assert store.hold_role("reaper", "lab01", 30) == "lab01"
    assert store.hold_role("reaper", "lab01", 30) == "lab01"
    assert store.hold_role("reaper", "lab02", 30) == "lab01"
    assert store.hold_role("janitor", "lab02", 30) == "lab02"
    assert 0 < redis_client.pttl("mlq:reaper") <= 30000
    redis_client.delete("mlq:reaper")
    assert store.hold_role("reaper", "lab02", 30) == "lab02"


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


# --- lists --------------------------------------------------------------------------------------


def test_an_index_is_read_page_by_page(store: Store, enqueue: Enqueue, admin: redis.Redis) -> None:
    ids = enqueue(2 * PAGE + 3)
    pages = list(store.pages(("status",), "jobs"))
    assert [len(page) for page in pages] == [PAGE, PAGE, 3]
    assert [row[0] for page in pages for row in page] == ids
    admin.flushdb()


def test_indexes_know_what_has_ended_and_when(
    store: Store, enqueue: Enqueue, redis_client: redis.Redis
) -> None:
    one, two, three = enqueue(3)
    store.move([Move(three, Event.CANCEL)], NOW_S)
    between = time_of(redis_client)
    store.move([Move(one, Event.CANCEL)], NOW_S)

    def listed(index: str, from_score: float = 0) -> list[str]:
        return [row[0] for page in store.pages(("status",), index, from_score) for row in page]

    assert listed("jobs") == [one, two, three]
    assert listed("unended") == [two]
    assert listed("ended") == [three, one]
    assert listed("ended", between) == [one]


def test_rows_leave_out_what_is_no_job(store: Store, enqueue: Enqueue) -> None:
    (job,) = enqueue(1)
    assert store.rows(("status", "mlq_reason"), ["999", job]) == [[job, "queued", ""]]
    assert store.rows(("status",), []) == []


def test_jobs_are_found_by_name_in_order(store: Store, enqueue: Enqueue) -> None:
    ids = enqueue(11, name="lr")
    enqueue(1, name="other")
    assert store.named("lr") == ids
    assert store.named("unknown") == []


def test_members_of_a_sweep_stand_between_the_numbers(
    store: Store, enqueue: Enqueue, admin: redis.Redis
) -> None:
    one, two, three = enqueue(3)
    # What a sweep will store: 2_1 and 2_10 belong to 2.
    for member in (f"{two}_10", f"{two}_2"):
        admin.copy(f"rq:job:{two}", f"rq:job:{member}")
        admin.hset(f"rq:job:{member}", "status", "failed")
        admin.zadd(f"rq:failed:{CLASS}", {member: float("inf")})
        admin.zadd("mlq:ended", {member: 1})
        admin.zadd("mlq:jobs", {member: 0})
    ids = [f"{two}_10", f"{two}_2"]
    store.move([Move(job, Event.RERUN) for job in ids], NOW_S)
    for job in ids:
        admin.zadd("mlq:jobs", {job: admin.zscore("mlq:unended", job) or 0})
    waiting = [raw.decode() for raw in admin.lrange(f"rq:queue:{CLASS}", 0, -1)]
    assert waiting == [one, two, f"{two}_2", f"{two}_10", three]


# --- forgetting ---------------------------------------------------------------------------------


def test_forgetting_deletes_every_key_of_old_ended_jobs_and_nothing_else(
    store: Store, enqueue: Enqueue, admin: redis.Redis
) -> None:
    (kept,) = enqueue(1, name="kept")
    before = dump(admin)
    old = enqueue(3, name="old", after=[])
    (child,) = enqueue(1, name="old", after=old[:1], after_any=True)
    store.move([Move(kept, Event.CANCEL)], NOW_S)
    store.move([Move(kept, Event.RERUN)], NOW_S)
    for job in (*old, child):
        (mine,) = [
            one for one in store.claim([(CLASS, 1)], LAB01, 45, NOW_S) if one.id != kept
        ] or claim(store)
        result = ("type", 1, "worker_name", "lab01")
        store.move([Move(mine.id, Event.FAIL, mine.attempt, result=result)], NOW_S)
        assert job
    ended_before = time_of(admin) + 1
    assert store.forget(ended_before - 3600) == []
    forgotten = []
    while batch := store.forget(ended_before, limit=3):
        forgotten += batch
    assert set(forgotten) == {*old, child}
    leftovers = [
        key.decode()
        for key in admin.scan_iter("*")
        if key not in before and not key.startswith(b"mlq:reply:")
    ]
    held_by_kept = [f"rq:execution:{kept}:1", f"rq:executions:{kept}", f"rq:wip:{CLASS}"]
    held_by_kept += ["mlq:leases", "mlq:held:lab01"]
    assert set(leftovers) <= set(held_by_kept)
    assert store.reserve_numbers(1) == int(child) + 1, "a number is never used again"


# --- machines -----------------------------------------------------------------------------------


def test_forgetting_drops_classes_and_machines_of_which_nothing_is_left(
    store: Store, enqueue: Enqueue, redis_client: redis.Redis
) -> None:
    (done,) = enqueue(1, cores=3)
    (waiting,) = enqueue(1, cores=4)
    store.move([Move(done, Event.CANCEL)], time.time())
    store.renew("gone", [], 45, 0.0)
    store.renew("known", [], 45, 0.0)
    store.record_machine("known", {"machine": "known"}, {"pid": "1"})
    store.forget(time.time() + 60)
    assert redis_client.smembers("rq:queues") == {b"rq:queue:p0.c4.m2048.g0.v0"}
    assert list(store.machines()) == ["known"]
    assert [head.id for head in store.peek().heads] == [waiting]


def test_a_machine_is_heard_when_it_renews_and_says_what_it_offers(
    store: Store, redis_client: redis.Redis
) -> None:
    assert store.machines() == {}
    store.renew("lab01", [], 45, NOW_S)
    redis_client.zadd("mlq:machines", {"lab02": time_of(redis_client) - 600})
    store.record_machine("lab01", {"cores_total": 8}, {"queues": "mlq", "state": "idle"})
    machines = store.machines()
    assert set(machines) == {"lab01", "lab02"}
    assert machines["lab01"][1] == {"cores_total": 8}
    assert 0 <= machines["lab01"][0] < 60
    assert 599 < machines["lab02"][0] < 660
    assert machines["lab02"][1] == {}


# --- bytes that somebody put there --------------------------------------------------------------


def test_an_altered_job_of_any_bytes_can_be_claimed_and_listed(
    store: Store, enqueue: Enqueue, redis_client: redis.Redis
) -> None:
    (job,) = enqueue(1)
    redis_client.hset(f"rq:job:{job}", "mlq_spec", b'{"argv": "\xff\xfe"}')
    (mine,) = claim(store)
    assert (mine.id, mine.spec) == (job, '{"argv": "��"}')
    assert store.rows(("status", "mlq_spec"), [job])[0][1] == "started"


def test_an_id_whose_job_is_gone_leaves_no_trace(
    store: Store, admin: redis.Redis, enqueue: Enqueue
) -> None:
    admin.sadd("rq:queues", f"rq:queue:{CLASS}")
    admin.rpush(f"rq:queue:{CLASS}", "11111111-2222-4333-8444-555555555555")
    store.peek()
    assert list(admin.scan_iter("rq:job:*")) == []
    (job,) = enqueue(1)
    assert [one.id for one in claim(store)] == [job]
    assert admin.zrange("mlq:jobs", 0, -1) == [job.encode()]


# --- everything at random -----------------------------------------------------------------------


def test_whatever_happens_in_whatever_order_the_keys_agree(
    store: Store, enqueue: Enqueue, admin: redis.Redis, queue: Queue
) -> None:
    class Life(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            admin.flushdb()
            self.ids: list[str] = []
            self.attempts: list[tuple[str, int]] = []

        @rule(cores=st.integers(1, 2), data=st.data(), after_any=st.booleans())
        def submit(self, cores: int, data: st.DataObject, after_any: bool) -> None:
            parents = data.draw(
                st.lists(st.sampled_from(self.ids), max_size=2, unique=True)
                if self.ids
                else st.just([])
            )
            job = Submission(
                argv=("true",),
                cwd="/",
                python_env="",
                cores=cores,
                after=parents,
                after_any=after_any,
            )
            self.ids += enqueue(job)

        @rule(who=st.sampled_from([LAB01, LAB02]))
        def claim(self, who: Claimant) -> None:
            fits = [(head.class_name, 2) for head in store.peek().heads]
            self.attempts += [(one.id, one.attempt) for one in store.claim(fits, who, 45, NOW_S)]

        @rule(event=st.sampled_from(RUNNING_EVENTS), data=st.data())
        def end(self, event: Event, data: st.DataObject) -> None:
            if self.attempts:
                job, attempt = data.draw(st.sampled_from(self.attempts))
                store.move([Move(job, event, attempt, lost_on="lab01")], NOW_S)

        @rule(data=st.data(), again=st.booleans())
        def ask(self, data: st.DataObject, again: bool) -> None:
            if self.ids:
                chosen = data.draw(st.lists(st.sampled_from(self.ids), max_size=3, unique=True))
                (queue.retry if again else queue.cancel)(chosen)

        @invariant()
        def sound(self) -> None:
            assert problems(admin) == []
            rows = store.rows(("status", "mlq_attempt"), self.ids)
            assert len(rows) == len(self.ids)
            waiting = {row[0] for row in rows if row[1] == "deferred"}
            for job in waiting:
                pending = admin.smembers(f"rq:job::{job}:dependencies")
                assert pending, f"{job} waits for nothing"
                for parent in pending:
                    state = admin.hget(b"rq:job:" + parent, "status")
                    assert state is not None
                    assert state.decode() not in ENDED, f"{job} waits for what has ended"

    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_numbers_are_raised_and_never_lowered(store: Store) -> None:
    assert store.reserve_numbers(3) == 1
    store.raise_numbers(1042)
    store.raise_numbers(7)
    assert store.reserve_numbers(1) == 1043


def test_a_requeued_job_waits_from_now_on(store: Store, enqueue: Enqueue) -> None:
    (job,) = enqueue(1)
    (taken,) = claim(store)
    before = store.rows(("enqueued_at",), [job])
    store.move([Move(job, Event.LOSE, taken.attempt)], time.time() + 3600)
    assert store.rows(("enqueued_at",), [job]) > before


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
