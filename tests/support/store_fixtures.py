"""Fixtures for tests of the store: a real Redis server, and a keyspace that must be sound after."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import redis
from keyspace import problems
from redis_server import RedisServer

from mlq.api.queue import Queue
from mlq.ids import order_key
from mlq.jobs.lifecycle import Event, State, sources
from mlq.store.connection import RedisClient
from mlq.store.operations import Claimant
from mlq.store.record import SignedJob
from mlq.store.replies import Claim
from mlq.store.store import Store
from mlq.submit.batch import check_all, sign_all
from mlq.submit.submission import Submission
from mlq.units import utc_iso

KEY = b"k" * 64
LAB01 = Claimant("lab01", "boot-a", "supervisor-a")
LAB02 = Claimant("lab02", "boot-b", "supervisor-b")
CLASS = "p0.c1.m2048.g0.v0"  # of a job that asks for nothing in particular
NOW_S = time.time()
RUNNING_EVENTS = [event for event in Event if State.STARTED in sources(event)]

Enqueue = Callable[..., list[str]]


@pytest.fixture
def store(redis_client: redis.Redis) -> Iterator[Store]:
    yield Store(RedisClient(redis_client, Path("test.sock")))
    assert problems(redis_client) == []


@pytest.fixture
def enqueue(store: Store) -> Enqueue:
    """enqueue(*submissions) -> ids; enqueue(3, cores=2) enqueues three alike."""

    def make(*submissions: Submission | int, **options: object) -> list[str]:
        if submissions and isinstance(submissions[0], int):
            submissions = tuple(
                Submission(argv=("true",), python_env="", cwd="/", **options)  # type: ignore[arg-type]
                for _ in range(submissions[0])
            )
        signed = sign(store, *submissions)  # type: ignore[arg-type]
        store.submit(signed, signed[0].spec.submitted_at)
        return [job.spec.id for job in signed]

    return make


@pytest.fixture
def admin(redis_server: RedisServer, redis_client: redis.Redis) -> redis.Redis:
    """Sees everything, may do anything; the queue was emptied first."""
    return redis_server.admin


@pytest.fixture
def queue(store: Store, redis_server: RedisServer) -> Queue:
    return Queue(store, redis_server.settings, key=KEY, clock=lambda: NOW_S)


def sign(store: Store, *submissions: Submission) -> list[SignedJob]:
    checked = check_all(submissions, utc_iso(time.time()), 2048)
    return sign_all(checked, store.reserve_numbers(len(submissions)), KEY)


def named(store: Store, name: str) -> list[str]:
    """The jobs of a name, in order of submission."""
    ids = [raw.decode() for raw in store.client.call("SMEMBERS", f"mlq:name:{name}")]
    return sorted(ids, key=order_key)


def claim(store: Store, who: Claimant = LAB01, lease_s: float = 45, count: int = 1) -> list[Claim]:
    return store.claim([(CLASS, count)], who, lease_s, NOW_S)


def fields(store: Store, job_id: str, *names: str) -> list[str]:
    return store.reads.rows(("status", *names), [job_id])[0][1:]


def dump(client: redis.Redis) -> dict[bytes, Any]:
    """All that the queue holds; DUMP would also tell how a server has arranged it just now."""
    readers: dict[bytes, Callable[[bytes], Any]] = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"set": client.smembers,
        b"zset": lambda key: client.zrange(key, 0, -1, withscores=True),
        b"stream": client.xrange,
    }
    keys = [key for key in client.scan_iter("*") if not key.startswith(b"mlq:reply:")]
    return {key: readers[client.type(key)](key) for key in keys}


def time_of(client: redis.Redis) -> float:
    seconds, microseconds = client.time()
    return float(seconds) + float(microseconds) / 1e6


class Recorder(RedisClient):
    """A client of the real server that notes which commands travel together."""

    def __init__(self, redis_client: redis.Redis) -> None:
        super().__init__(redis_client, Path("test.sock"))
        self.sent: list[list[str]] = []

    def call_many(self, commands: Sequence[Sequence[str | bytes | int | float]]) -> list[Any]:
        self.sent.append([str(command[0]) for command in commands])
        return super().call_many(commands)
