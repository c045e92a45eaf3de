"""Job numbers: whatever the counter says, no job is dropped and none gets another's number."""

from __future__ import annotations

import pytest
import redis
from store_fixtures import Enqueue, fields

from mlq.api.queue import Queue
from mlq.errors import QueueRefusedError
from mlq.ids import LARGEST_NUMBER, is_job_id
from mlq.store.operations import Operation
from mlq.store.store import Store

COUNTER = "mlq:last_number"
SPOILT = [
    "0",
    "1",
    "-5",
    "",
    "x",
    "1e+20",
    "1e3",
    "9" * 12 + "9",
    "9" * 400,
    "nan",
    "inf",
    "0x7",
    " 7",
]


@pytest.mark.parametrize("value", SPOILT)
def test_a_counter_that_was_put_back_or_spoilt_drops_no_job(
    store: Store, enqueue: Enqueue, admin: redis.Redis, value: str
) -> None:
    before = enqueue(3)
    admin.set(COUNTER, value)
    after = enqueue(2)
    assert after == ["4", "5"]
    for job_id in before + after:
        assert fields(store, job_id) == ["queued"]
    assert admin.get(COUNTER) == b"5"


def test_a_number_that_a_job_has_beside_the_index_is_passed_over(
    queue: Queue, enqueue: Enqueue, admin: redis.Redis
) -> None:
    enqueue(1)
    admin.hset("rq:job:3", mapping={"status": "failed", "data": "theirs"})
    try:
        commands = [["echo", str(number)] for number in range(3)]
        after = [job.id for job in queue.enqueue_many(commands, cwd="/", python_env="")]
        assert after == ["5", "6", "7"]
        views = queue.views(after)
        assert [one.command for one in views] == ["echo 0", "echo 1", "echo 2"]
        assert {one.state for one in views} == {"queued"}
        assert admin.hget("rq:job:3", "data") == b"theirs"
    finally:
        admin.delete("rq:job:3")


def test_when_there_are_no_numbers_left_it_says_so_and_stores_nothing(
    store: Store, enqueue: Enqueue, admin: redis.Redis
) -> None:
    admin.set(COUNTER, LARGEST_NUMBER - 1)
    with pytest.raises(QueueRefusedError, match="no job numbers left"):
        enqueue(2)
    assert admin.get(COUNTER) == str(LARGEST_NUMBER - 1).encode()
    (last,) = enqueue(1)
    assert is_job_id(last)


@pytest.mark.parametrize(("least", "then"), [(7, "8"), (10**20, "2"), (1e20, "2"), (10**11, None)])
def test_numbers_are_raised_as_whole_numbers_and_never_absurdly(
    store: Store, enqueue: Enqueue, admin: redis.Redis, least: int, then: str | None
) -> None:
    enqueue(1)
    store.raise_numbers(least)
    assert str(admin.get(COUNTER), "ascii").isdecimal()
    assert enqueue(1) == [then or str(least + 1)]


def test_a_batch_in_which_a_number_is_taken_is_not_stored_and_sent_again_says_the_same(
    store: Store, enqueue: Enqueue, admin: redis.Redis
) -> None:
    (job,) = enqueue(1)
    batch = [
        {
            "id": one,
            "class": "c",
            "name": "",
            "after": [],
            "template": "",
            "fields": ["a", "b"],
            "delay": 0,
            "held": "",
        }
        for one in ("8", job)
    ]
    args = {"common": ["c", "d"], "jobs": batch, "templates": {}, "at": "x"}
    operation = Operation("submit", args)
    for _ in range(2):
        (reply,) = store.runner.run(operation)
        assert reply == {"taken": job}
        assert admin.exists("rq:job:8") == 0
