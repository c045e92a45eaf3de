"""A queue is copied, lost whole, and made anew: the keys are what they were."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from keyspace import problems
from store_fixtures import KEY, Enqueue, claim, fields, named, sign

from mlq.api.queue import Queue
from mlq.copies.collector import Collector
from mlq.copies.copy_format import Copy, parsed
from mlq.errors import OtherQueueError, ServerError, StorageError
from mlq.files.layout import Layout
from mlq.jobs.batch_job import BatchJob, Streams
from mlq.jobs.lifecycle import Event
from mlq.jobs.signing import verify
from mlq.jobs.strict_spec import parse_spec
from mlq.store import restoring
from mlq.store.operations import Move
from mlq.store.store import Store
from mlq.submit.submission import Submission
from mlq.units import utc_iso
from mlq_worker.agent.history import Patience
from mlq_worker.rebuild import carry_out as carrying
from mlq_worker.rebuild.carry_out import add_missing, carry_out, only_missing
from mlq_worker.rebuild.plan import Terms, plan
from mlq_worker.rebuild.survey import Found

QUEUE = "0123abcd"
OWNED = Layout(Path("/results"), QUEUE)
TERMS = Terms(KEY, time.time(), Patience(3, 5.0), 30)


@pytest.fixture(autouse=True)
def _owned(store: Store) -> None:
    store.client.call("SET", "mlq:queue_id", QUEUE)


@pytest.fixture
def collector(store: Store) -> Collector:
    return Collector(store, "lab01", 86400.0)


_OF_THE_MOMENT = (
    *("mlq:last_number", "mlq:reply:", "rq:execution", "mlq:leases", "mlq:machine"),
    "mlq:root",
)


def copy_of(collector: Collector) -> Copy:
    return parsed(collector.collect(QUEUE).raw, "copy")


def lose(admin: redis.Redis) -> None:
    admin.flushall()


def rebuild(store: Store, copy: Copy | None, found: Found | None = None) -> carrying.Restored:
    return carry_out(store, OWNED, plan(copy, found or Found(), TERMS), KEY, pause_s=0)


def state_of(store: Store, admin: redis.Redis) -> dict[str, Any]:
    """All that must be as it was: hashes, lists, registries and indexes."""
    told: dict[str, Any] = {}
    for key in sorted(admin.scan_iter("*")):
        name = key.decode()
        if name.startswith(
            (
                "mlq:last_number",
                "mlq:reply:",
                "rq:execution",
                "mlq:leases",
                "mlq:machine",
                "mlq:root",
            )
        ):
            continue
        kind = admin.type(key)
        if kind == b"hash":
            told[name] = dict(admin.hgetall(key))
            told[name].pop(b"mlq_restored", None)
        elif kind == b"list":
            told[name] = admin.lrange(key, 0, -1)
        elif kind == b"zset":
            told[name] = admin.zrange(key, 0, -1)
        elif kind == b"set":
            told[name] = admin.smembers(key)
        elif kind == b"string":
            told[name] = admin.get(key)
    return told


@pytest.fixture
def lived_in(store: Store, enqueue: Enqueue, queue: Queue) -> Iterator[Store]:
    """Jobs in every state that does not end, one that was canceled before it ran, and a loss."""
    enqueue(3, name="three")
    enqueue(Submission(argv=("child",), python_env="", cwd="/", after=("3",), after_any=True))
    enqueue(2, priority=5)
    claim(store)
    enqueue(1)
    queue.cancel(["2"])
    claim_of = claim(store)[0]
    lost = Move(claim_of.id, Event.LOSE, claim_of.attempt, lost_on="lab01", avoid="lab01")
    store.move([lost], time.time(), 90)
    yield store


@pytest.mark.usefixtures("lived_in")
def test_a_lost_queue_is_as_it_was(store: Store, collector: Collector, admin: redis.Redis) -> None:
    before = state_of(store, admin)
    copy = copy_of(collector)
    lose(admin)

    done = rebuild(store, copy)

    assert done.jobs == 7
    assert done.left_out == []
    assert state_of(store, admin) == before


def test_who_waits_for_whom_and_for_its_user_is_as_it_was(
    store: Store, enqueue: Enqueue, collector: Collector, admin: redis.Redis
) -> None:
    alike = {"argv": ("true",), "python_env": "", "cwd": "/"}
    enqueue(3)
    mixed = {"2": "ended", "3": "failed"}
    waits = Submission(**alike, after=("1", "2", "3"), conditions=mixed)  # type: ignore[arg-type]
    enqueue(waits, Submission(**alike, hold=True))  # type: ignore[arg-type]
    enqueue(2, name="train", singleton=True)
    before = state_of(store, admin)
    copy = copy_of(collector)
    lose(admin)
    assert rebuild(store, copy).left_out == []
    assert state_of(store, admin) == before


def test_a_job_with_a_script_has_it_again(
    store: Store, enqueue: Enqueue, collector: Collector, admin: redis.Redis
) -> None:
    asked = Submission(
        argv=("train.sh", "x"),
        python_env="",
        cwd="/",
        script="#!/bin/sh\necho '$1 é' \t\n",
        streams=Streams(output="/home/u/%j.out", appends=True),
        batch=BatchJob(system="slurm", tasks=2, submit_dir="/home/u", umask=0o022),
        comment="mine",
    )
    (job_id,) = enqueue(asked)
    before, copy = state_of(store, admin), copy_of(collector)
    lose(admin)
    assert rebuild(store, copy).left_out == []
    assert state_of(store, admin) == before
    (mine,) = claim(store)
    spec = parse_spec(mine.spec)
    verify(KEY, mine.spec.encode(), mine.signature)
    assert (spec.id, spec.argv) == (job_id, asked.argv)
    assert (spec.script, spec.streams, spec.batch) == (asked.script, asked.streams, asked.batch)


@pytest.mark.usefixtures("lived_in")
def test_a_running_attempt_is_adopted_and_no_other_begins(
    store: Store, collector: Collector, admin: redis.Redis
) -> None:
    copy = copy_of(collector)
    lose(admin)
    rebuild(store, copy)

    expired = store.expired(45, 20)
    assert [(one.key, one.machine, one.expired) for one in expired.attempts] == [
        (("1", 1), "lab01", True)
    ]
    assert expired.holders == ("lab01",)
    renewal = store.renew("lab01", [("1", 1, "")], 45, time.time())
    assert renewal.alive == (("1", 1),)
    assert "1" not in [one.id for one in claim(store, count=9)]


@pytest.mark.usefixtures("lived_in")
def test_what_was_interrupted_is_done_again_with_the_same_result(
    store: Store, collector: Collector, admin: redis.Redis
) -> None:
    before = state_of(store, admin)
    made = plan(copy_of(collector), Found(), TERMS)
    for killed_after in range(len(made.jobs) + 1):
        lose(admin)
        restoring.begin(store, QUEUE, made.high)
        restoring.renumbered(store)
        restoring.restore(store, made.jobs[:killed_after])
        assert claim(store) == []  # half of a queue gives nothing out
        carry_out(store, OWNED, made, KEY, pause_s=0)
        assert state_of(store, admin) == before
        with pytest.raises(OtherQueueError):
            restoring.begin(store, QUEUE, made.high)


def test_nothing_is_given_out_before_each_machine_had_time_to_tell(
    store: Store, enqueue: Enqueue, collector: Collector, admin: redis.Redis
) -> None:
    enqueue(1)
    made = plan(copy_of(collector), Found(), TERMS)
    lose(admin)
    done = carry_out(store, OWNED, made, KEY, pause_s=60)
    assert 50 < done.pause_s <= 60
    assert claim(store) == []
    admin.delete("mlq:restored")  # as it does when its time is over
    (given,) = claim(store)
    # Not 1 to 9: these may be the numbers of attempts that began after the copy.
    assert (given.id, given.attempt) == ("1", 10)
    assert fields(store, "1", "mlq_restored") == ["started", ""]


def test_jobs_enqueued_meanwhile_are_kept_under_new_numbers(
    store: Store, enqueue: Enqueue, collector: Collector, admin: redis.Redis
) -> None:
    enqueue(3, name="old")
    copy = copy_of(collector)
    lose(admin)
    enqueue(1, name="new")
    enqueue(Submission(argv=("child",), python_env="", cwd="/", after=("1",)))
    made = plan(copy, Found(), TERMS)

    done = carry_out(store, OWNED, made, KEY, pause_s=0)

    assert done.renumbered == {"1": "1004", "2": "1005"}
    assert named(store, "old") == ["1", "2", "3"]
    assert named(store, "new") == ["1004"]
    assert [one.id for one in claim(store, count=9)] == ["1", "2", "3", "1004"]
    store.move([Move("1004", Event.SUCCEED, 1)], time.time())
    assert fields(store, "1005", "dependency_id") == ["queued", "1004"]


def test_a_submission_sent_again_to_the_emptied_queue_is_no_other_job(
    store: Store, enqueue: Enqueue, collector: Collector, admin: redis.Redis
) -> None:
    signed = sign(store, Submission(argv=("true",), python_env="", cwd="/"))
    store.submit(signed, utc_iso(time.time()))
    claim(store)
    before = state_of(store, admin)
    copy = copy_of(collector)
    lose(admin)
    store.submit(signed, utc_iso(time.time()))
    done = rebuild(store, copy)
    assert (done.renumbered, done.jobs) == ({}, 1)
    assert state_of(store, admin) == before


def test_an_interrupted_renumbering_goes_on(
    store: Store, enqueue: Enqueue, collector: Collector, admin: redis.Redis
) -> None:
    enqueue(3)
    copy = copy_of(collector)
    lose(admin)
    enqueue(2, name="new")
    made = plan(copy, Found(), TERMS)
    real = restoring.restore
    with pytest.MonkeyPatch.context() as patch:
        # As if killed after the first of them.
        def killed(store: Store, jobs: Any, old_ids: Any = None) -> Any:
            real(store, jobs, old_ids)
            raise KeyboardInterrupt

        patch.setattr(restoring, "restore", killed)
        with pytest.raises(KeyboardInterrupt):
            carry_out(store, OWNED, made, KEY, pause_s=0)
    done = carry_out(store, OWNED, made, KEY, pause_s=0)
    assert list(done.renumbered) == ["1", "2"]
    assert named(store, "new") == list(done.renumbered.values())
    assert done.jobs == 5


def test_an_emptied_queue_does_not_replace_the_copy(
    store: Store, enqueue: Enqueue, collector: Collector, admin: redis.Redis
) -> None:
    enqueue(1)
    collector.collect(QUEUE)
    lose(admin)
    with pytest.raises(OtherQueueError):
        collector.collect(QUEUE)
    store.client.call("SET", "mlq:queue_id", "another")
    with pytest.raises(OtherQueueError):
        collector.collect(QUEUE)
    lose(admin)
    restoring.begin(store, QUEUE, 1)
    with pytest.raises(OtherQueueError):
        collector.collect(QUEUE)


def test_a_queue_that_was_emptied_again_meanwhile_is_not_said_to_be_restored(
    store: Store, admin: redis.Redis
) -> None:
    lose(admin)
    restoring.begin(store, QUEUE, 1)
    lose(admin)
    with pytest.raises(ServerError):
        restoring.end(store, QUEUE, "/r", 0)


def test_what_changes_is_copied_anew_and_the_rest_is_not(
    store: Store, enqueue: Enqueue, collector: Collector
) -> None:
    enqueue(600)
    first = collector.collect(QUEUE)
    again = collector.collect(QUEUE)
    assert again.is_like(first)
    with pytest.MonkeyPatch.context() as patch:
        read: list[str] = []
        real = collector._lines

        def lines(rows: Any) -> list[bytes]:
            read.extend(row[0] for row in rows)
            return real(rows)

        patch.setattr(collector, "_lines", lines)
        claim(store)
        changed = collector.collect(QUEUE)
    assert not changed.is_like(first)
    assert 0 < len(read) < 300
    assert parsed(changed.raw, "copy").jobs["1"].fields["status"] == "started"


def test_every_field_of_a_job_survives(
    store: Store, enqueue: Enqueue, collector: Collector, admin: redis.Redis
) -> None:
    enqueue(1)
    admin.hset("rq:job:1", "somebody_elses", "kept")
    admin.hset("rq:job:1", "group_id", b"\xff\xfe")
    copy = copy_of(collector)
    lose(admin)
    rebuild(store, copy)
    assert fields(store, "1", "somebody_elses") == ["queued", "kept"]


def test_a_copy_that_was_cut_off_is_known_for_it(enqueue: Enqueue, collector: Collector) -> None:
    enqueue(20)
    raw = collector.collect(QUEUE).raw
    for length in (0, 1, 30, len(raw) // 2, len(raw) - 30):
        with pytest.raises(StorageError):
            parsed(raw[:length], "copy")
    with pytest.raises(StorageError):
        parsed(b"no gzip at all", "copy")


def test_jobs_that_this_key_did_not_sign_are_left_out_and_named(
    store: Store, enqueue: Enqueue, collector: Collector, admin: redis.Redis
) -> None:
    enqueue(2)
    admin.hset("rq:job:1", "mlq_spec", '{"id":"1"}')
    copy = copy_of(collector)
    lose(admin)
    done = rebuild(store, copy)
    assert [one.split(":")[0] for one in done.left_out] == ["job 1"]
    assert [one.id for one in claim(store, count=9)] == ["2"]
    assert store.reserve_numbers(1) > 2


def test_a_parent_that_is_lost_ends_its_children(
    store: Store, enqueue: Enqueue, collector: Collector, admin: redis.Redis
) -> None:
    enqueue(1)
    child = Submission(argv=("c",), python_env="", cwd="/", after=("1",))
    store.submit(sign(store, child), utc_iso(time.time()))
    copy = copy_of(collector)
    del copy.jobs["1"]
    lose(admin)
    rebuild(store, copy)
    assert fields(store, "2", "mlq_reason") == ["canceled", "parent 1 is lost"]


def test_a_thousand_at_a_time_hold_nobody_up(
    store: Store, enqueue: Enqueue, collector: Collector, admin: redis.Redis
) -> None:
    enqueue(1000)
    copy = copy_of(collector)
    lose(admin)
    done = rebuild(store, copy)
    assert (done.jobs, done.made) == (1000, 1000)
    assert problems(admin) == []
    assert store.peek().heads[0].id == "1"


def test_a_queue_of_an_old_backup_is_given_what_it_does_not_know(
    store: Store, enqueue: Enqueue, collector: Collector, admin: redis.Redis
) -> None:
    enqueue(5)
    before = state_of(store, admin)
    made = plan(copy_of(collector), Found(), TERMS)
    for job in ("2", "4"):  # as if the backup had never heard of them
        restoring.drop(store, job)
    restoring.drop(store, "3")
    admin.zadd("mlq:deleted", {"3": 1})
    wanted = only_missing(store, made)
    assert sorted(job.id for job in wanted.jobs) == ["2", "4"]
    assert add_missing(store, wanted).made == 2
    admin.delete("mlq:deleted")
    add_missing(store, only_missing(store, made))
    assert state_of(store, admin) == before


def test_an_end_that_could_not_be_written_is_in_the_copy(
    store: Store, enqueue: Enqueue, collector: Collector
) -> None:
    enqueue(2)
    for one in claim(store, count=2):
        fields = {"mlq_exit_code": 0} | ({"mlq_unwritten": 1} if one.id == "2" else {})
        store.move([Move(one.id, Event.SUCCEED, 1, fields=fields)], time.time())
    # Of the other the results root tells all.
    assert list(copy_of(collector).jobs) == ["2"]


def test_what_was_canceled_while_it_waited_for_a_retry_is_in_the_copy(
    store: Store, enqueue: Enqueue, queue: Queue, collector: Collector
) -> None:
    """The root knows only that its attempt failed, and may be retried."""
    enqueue(1)
    (claimed,) = claim(store)
    failed = {"mlq_exit_code": 2, "mlq_reason": "exit 2", "mlq_failures": 1}
    store.move([Move("1", Event.RETRY, claimed.attempt, fields=failed, pause_s=600)], 0.0, 90)
    queue.cancel(["1"])
    assert list(copy_of(collector).jobs) == ["1"]


def test_results_stand_in_the_order_of_the_attempts_whatever_the_clocks_said(
    store: Store, enqueue: Enqueue, collector: Collector, admin: redis.Redis
) -> None:
    enqueue(1)
    made = plan(copy_of(collector), Found(), TERMS)
    ends = ((2000.0, ("execution_id", "1")), (1000.0, ("execution_id", "2")))
    made.jobs = [job._replace(results=ends) for job in made.jobs]
    lose(admin)
    admin.xadd("rq:results:1", {"execution_id": "of a job that rq's tools deleted"})
    assert carry_out(store, OWNED, made, KEY, pause_s=0).made == 1
    entries = admin.xrange("rq:results:1")
    assert [entry[b"execution_id"] for _, entry in entries] == [b"1", b"2"]
