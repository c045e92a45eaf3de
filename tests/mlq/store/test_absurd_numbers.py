"""Numbers that somebody put into the queue: none of them stops an operation for everybody."""

from __future__ import annotations

import pytest
import redis
from store_fixtures import LAB01, Enqueue, claim, fields

from mlq.jobs.lifecycle import Event
from mlq.store.operations import Move
from mlq.store.store import Store

ABSURD = ["inf", "-inf", "nan", "1e999", "9" * 400, "0x7fffffffffffffff", "x", "", "-1e300"]
COUNTS = ("timeout", "mlq_losses", "mlq_failures", "mlq_folder_faults", "mlq_avoid_until")


@pytest.mark.parametrize("value", ABSURD)
def test_every_operation_of_a_worker_goes_on(
    store: Store, enqueue: Enqueue, admin: redis.Redis, value: str
) -> None:
    spoilt, other = enqueue(2)
    for name in COUNTS:
        admin.hset(f"rq:job:{spoilt}", name, value)
    assert [head.id for head in store.peek().heads] == [spoilt]
    assert [one.id for one in claim(store, count=2)] == [spoilt, other]
    for name in COUNTS:
        admin.hset(f"rq:job:{spoilt}", name, value)
    long_one = f"{other}:{'9' * 400}"
    admin.sadd("mlq:held:lab01", long_one)
    admin.zadd("mlq:leases", {long_one: 1})
    admin.hset("mlq:reservations", spoilt, f"lab01 {value}")
    assert {one.key for one in store.held("lab01")} == {(spoilt, 1), (other, 1)}
    assert long_one not in str(admin.smembers("mlq:held:lab01"))
    told = store.expired(45.0, -1000.0)
    assert {one.key for one in told.attempts} == {(spoilt, 1), (other, 1)}
    assert admin.zscore("mlq:leases", long_one) is None
    store.renew("lab01", [(spoilt, 1, ""), (other, 1, "")], 45, 0.0)
    store.reserve_machine(spoilt, "lab01", 5)
    admin.zadd("mlq:machines", {"lab09": float("inf"), "lab08": float("-inf")})
    admin.sadd("mlq:held:lab09", "1:1")
    assert "lab09" in store.reads.machines()
    assert "lab09" in store.reads.conditions()
    moves = [Move(one, Event.SUCCEED, 1, lost_on="lab01") for one in (spoilt, other)]
    assert store.move(moves, 0.0).moved == (spoilt, other)
    assert fields(store, spoilt) == ["finished"]
    assert LAB01.machine == "lab01"
    admin.srem("mlq:held:lab09", "1:1")
    admin.zrem("mlq:machines", "lab09", "lab08")
