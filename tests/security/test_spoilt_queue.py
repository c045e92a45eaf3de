"""No single value that somebody wrote into Redis keeps a worker from its work.

Whoever has the password can delete the queue. But a value that is merely nonsense, of theirs or of
another program's, costs nobody more than the job or machine that it is about.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from local_lab import Lab, Machine
from spoil import spoil_beside_jobs
from thief import Thief

NONSENSE = [
    *(b"", b":", b"1:1", b"..:x", b"../../evil:1", b"a\x1b[2J:1", b"\xff\xfe", b"x" * 300 + b":1"),
    *(b"[]", b"{}", b'{"a":1}', b"lab01 9e999", b"1:99999999999999999999"),
]


@pytest.fixture(scope="module")
def machine(lab: Lab) -> Machine:
    """A machine whose worker runs."""
    return lab.machine("lab01")


@pytest.fixture(scope="module")
def thief(lab: Lab) -> Iterator[Thief]:
    """A thief of the password."""
    thief = Thief(lab)
    with thief.redis:
        yield thief


@pytest.mark.parametrize("value", NONSENSE, ids=repr)
def test_a_worker_works_on(lab: Lab, machine: Machine, thief: Thief, value: bytes) -> None:
    pid = machine.pid("worker")
    spoil_beside_jobs(thief.redis, value)
    thief.redis.sadd("mlq:held:lab01", value)
    thief.redis.set("mlq:machine:lab01", value)
    thief.redis.hset("mlq:reservations", "77", value)
    thief.redis.zadd("mlq:leases", {value: 1, value + b":1": 1})
    thief.redis.set("mlq:reaper", value)
    thief.redis.publish("mlq:wake", value)
    lab.until(lab.sh("true"), "finished")
    assert machine.pid("worker") == pid


@pytest.mark.parametrize("value", [*NONSENSE, b"[1,2,3,4]", b'["","",[],""]', None], ids=repr)
def test_a_spoilt_template_costs_the_jobs_that_wait_with_it(
    lab: Lab, machine: Machine, thief: Thief, value: bytes | None
) -> None:
    job = thief.waiting_job("true", env={"SPOILT": repr(value)})
    key = f"mlq:template:{thief.hash_of(job)['mlq_spec'].split()[0].decode()}"
    thief.redis.delete(key)
    if value is None:
        thief.redis.sadd(key, "of another kind")
    else:
        thief.redis.set(key, value)
    thief.let_go(job)
    lab.until(job, "failed")
    lab.until(lab.sh("true"), "finished")
    lab.until(lab.sh("true", env={"SPOILT": repr(value)}), "finished")


def test_a_worker_that_starts_then_works_too(lab: Lab, machine: Machine, thief: Thief) -> None:
    machine.stop()
    for value in NONSENSE:
        thief.redis.sadd("mlq:held:lab01", value)
        thief.redis.zadd("mlq:leases", {value: 1})
    machine.start()
    lab.until(lab.sh("true"), "finished")
