"""Fixtures for tests of the store: a real Redis server, and a keyspace that must be sound after."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from keyspace import problems

from mlq.connection import RedisClient
from mlq.operations import Claimant
from mlq.record import SignedJob
from mlq.store import Store
from mlq.submission import Submission, check_all, sign_all
from mlq.units import utc_iso

KEY = b"k" * 64
LAB01 = Claimant("lab01", "boot-a", "supervisor-a")
LAB02 = Claimant("lab02", "boot-b", "supervisor-b")

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
        store.submit(signed, utc_iso(time.time()))
        return [job.spec.id for job in signed]

    return make


def sign(store: Store, *submissions: Submission) -> list[SignedJob]:
    checked = check_all(submissions, utc_iso(time.time()), 2048)
    return sign_all(checked, store.reserve_numbers(len(submissions)), KEY)
