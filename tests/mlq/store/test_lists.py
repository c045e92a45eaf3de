"""What is read from the queue: indexes, rows, names, numbers and machines."""

from __future__ import annotations

import redis
from store_fixtures import CLASS, NOW_S, Enqueue, Recorder, claim, named, time_of

from mlq.jobs.lifecycle import Event
from mlq.store.operations import Move
from mlq.store.store import PAGE, Store


def test_an_index_is_read_page_by_page(store: Store, enqueue: Enqueue, admin: redis.Redis) -> None:
    ids = enqueue(2 * PAGE + 3)
    pages = list(store.reads.pages(("status",), "jobs"))
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
        return [
            row[0] for page in store.reads.pages(("status",), index, from_score) for row in page
        ]

    assert listed("jobs") == [one, two, three]
    assert listed("unended") == [two]
    assert listed("ended") == [three, one]
    assert listed("ended", between) == [one]


def test_what_is_recent_comes_with_the_conditions_in_one_round_trip(
    store: Store, enqueue: Enqueue, redis_client: redis.Redis
) -> None:
    runs, waits, ended, old = enqueue(4)
    store.move([Move(old, Event.CANCEL)], NOW_S)
    since_s = time_of(redis_client)
    store.move([Move(ended, Event.CANCEL)], NOW_S)
    claim(store)
    store.renew("lab01", [(runs, 1, "")], 45, NOW_S)
    store.reads.recent(("status",), since_s)  # from here on the server knows the scripts
    recorder = Recorder(redis_client)
    rows, conditions = Store(recorder).reads.recent(("status",), since_s)
    assert rows == [[runs, "started"], [waits, "queued"], [ended, "canceled"]]
    assert list(conditions) == ["lab01"]
    assert recorder.sent == [["EVALSHA", "EVALSHA", "EVALSHA"]]


def test_what_is_recent_is_all_there_also_where_it_fills_pages(
    store: Store, enqueue: Enqueue
) -> None:
    ids = enqueue(PAGE + 1)
    rows, _ = store.reads.recent(("status",), 0)
    assert [row[0] for row in rows] == ids
    store.move([Move(job, Event.CANCEL) for job in ids], NOW_S)
    rows, _ = store.reads.recent(("status",), 0)
    assert sorted(row[0] for row in rows) == sorted(ids)


def test_rows_leave_out_what_is_no_job(store: Store, enqueue: Enqueue) -> None:
    (job,) = enqueue(1)
    assert store.reads.rows(("status", "mlq_reason"), ["999", job]) == [[job, "queued", ""]]
    assert store.reads.rows(("status",), []) == []


def test_jobs_are_found_by_name_in_order(store: Store, enqueue: Enqueue) -> None:
    ids = enqueue(11, name="lr")
    enqueue(1, name="other")
    assert named(store, "lr") == ids
    assert named(store, "unknown") == []


def test_members_of_a_sweep_stand_between_the_numbers(
    store: Store, enqueue: Enqueue, admin: redis.Redis
) -> None:
    one, two, three = enqueue(3)
    # What a sweep will store: 2_1 and 2_10 belong to 2.
    for member in (f"{two}_10", f"{two}_2"):
        admin.copy(f"rq:job:{two}", f"rq:job:{member}")
        admin.hdel(f"rq:job:{member}", "mlq_spec")  # the count of its template would be wrong
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


def test_numbers_are_raised_and_never_lowered(store: Store) -> None:
    assert store.reserve_numbers(3) == 1
    store.raise_numbers(1042)
    store.raise_numbers(7)
    assert store.reserve_numbers(1) == 1043


def test_an_altered_job_of_any_bytes_can_be_claimed_and_listed(
    store: Store, enqueue: Enqueue, redis_client: redis.Redis
) -> None:
    (job,) = enqueue(1)
    redis_client.hset(f"rq:job:{job}", "mlq_spec", b'{"argv": "\xff\xfe"}')
    (mine,) = claim(store)
    assert (mine.id, mine.spec) == (job, '{"argv": "��"}')
    assert store.reads.rows(("status", "mlq_spec"), [job])[0][1] == "started"


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


def test_a_machine_is_heard_when_it_renews_and_says_what_it_offers(
    store: Store, redis_client: redis.Redis
) -> None:
    assert store.reads.machines() == {}
    store.renew("lab01", [], 45, NOW_S)
    redis_client.zadd("mlq:machines", {"lab02": time_of(redis_client) - 500})
    store.roles.record_machine("lab01", {"cores_total": 8}, {"queues": "mlq", "state": "idle"})
    machines = store.reads.machines()
    assert set(machines) == {"lab01", "lab02"}
    assert machines["lab01"][1] == {"cores_total": 8}
    assert 0 <= machines["lab01"][0] < 60
    assert 499 < machines["lab02"][0] < 560
    assert machines["lab02"][1] == {}


def test_who_holds_what_is_forgotten_unless_it_is_said_again(
    store: Store, redis_client: redis.Redis
) -> None:
    store.renew("lab01", [], 45, NOW_S)
    store.roles.record_machine("lab01", {"cores_total": 8}, {"state": "idle"})
    store.roles.show_people("lab01", [{"user": "kt42"}], 45.9)
    assert store.reads.machines()["lab01"][1] == {"cores_total": 8, "people": [{"user": "kt42"}]}
    assert 0 < redis_client.ttl("mlq:people:lab01") <= 45
    redis_client.delete("mlq:people:lab01")
    assert store.reads.machines()["lab01"][1] == {"cores_total": 8}


def test_a_machine_whose_record_has_expired_is_gone_unless_it_holds_a_job(
    store: Store, enqueue: Enqueue, redis_client: redis.Redis
) -> None:
    # Each allocation of a batch system is a machine of its own, and most have ended.
    enqueue(1)
    claim(store)
    for name in ("slurm-1", "lab01"):
        redis_client.zadd("mlq:machines", {name: time_of(redis_client) - 601})
    assert set(store.reads.machines()) == {"lab01"}
