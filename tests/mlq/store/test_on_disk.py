"""What a worker acts on is on the server's disk before, so that no power cut makes it forget it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import redis
from redis_server import RedisServer
from store_fixtures import CLASS, LAB01, NOW_S, Enqueue, Recorder

from mlq.errors import QueueRefusedError, QueueUnreachableError
from mlq.store.operations import Operation, claim_operation
from mlq.store.replies import Claim
from mlq.store.store import Store


class Old(Recorder):
    """As of a server before Redis 7.2."""

    def call_many(self, commands: Sequence[Sequence[str | bytes | int | float]]) -> list[Any]:
        if any(command[0] == "WAITAOF" for command in commands):
            raise QueueRefusedError("the queue refused a command", why="unknown command 'WAITAOF'")
        return super().call_many(commands)


class Slow(Recorder):
    """As of a server whose disk hangs: it answers that nothing was flushed."""

    def call_many(self, commands: Sequence[Sequence[str | bytes | int | float]]) -> list[Any]:
        replies = super().call_many(commands)
        asked = commands[-1]
        return [*replies[:-1], [0, 0]] if asked[0] == "WAITAOF" and asked[1] else replies


def claim(store: Store, operation: Operation | None = None) -> list[Claim]:
    operation = operation or claim_operation([(CLASS, 1)], LAB01, 45, NOW_S)
    (reply,) = store.runner.run_on_disk(operation)
    return [Claim.from_reply(raw) for raw in reply["claims"] or ()]


@pytest.fixture
def waits(redis_server: RedisServer) -> None:
    """Only for servers that can be asked what is on their disk."""
    if not can_wait(redis_server):
        pytest.skip("this server does not know WAITAOF")


def can_wait(redis_server: RedisServer) -> bool:
    try:
        redis_server.admin.execute_command("WAITAOF", 0, 0, 0)
    except redis.ResponseError:
        return False
    return True


def test_a_server_that_cannot_be_waited_for_flushes_before_each_reply(
    redis_server: RedisServer,
) -> None:
    # The server of the tests was asked to flush once a second.
    (policy,) = redis_server.admin.config_get("appendfsync").values()
    assert policy == ("everysec" if can_wait(redis_server) else "always")


@pytest.mark.usefixtures("waits")
def test_a_claim_and_the_wait_for_the_disk_travel_together(
    enqueue: Enqueue, redis_client: redis.Redis
) -> None:
    # Sent again after the server has restarted, the wait alone would speak of nothing.
    (job,) = enqueue(1)
    recorder = Recorder(redis_client)
    assert [one.id for one in claim(Store(recorder))] == [job]
    assert recorder.sent[-1] == ["EVALSHA", "WAITAOF"]


def test_a_server_that_cannot_wait_is_asked_once_and_goes_without(
    enqueue: Enqueue, redis_client: redis.Redis
) -> None:
    jobs = enqueue(2)
    old = Store(Old(redis_client))
    assert [one.id for one in (*claim(old), *claim(old))] == jobs


@pytest.mark.usefixtures("waits")
def test_what_is_not_on_the_disk_in_time_is_not_acted_on(
    enqueue: Enqueue, redis_client: redis.Redis
) -> None:
    enqueue(1)
    with pytest.raises(QueueUnreachableError, match="disk"):
        claim(Store(Slow(redis_client)))


def test_a_reply_that_is_given_again_is_a_write_to_wait_for(
    store: Store, enqueue: Enqueue, redis_client: redis.Redis
) -> None:
    # The connection broke after the claim: only a write on the new one makes the server wait.
    enqueue(1)
    again = claim_operation([(CLASS, 1)], LAB01, 45, NOW_S)
    first = claim(store, again)
    key = f"mlq:reply:{again.request_id}"
    redis_client.expire(key, 5)
    assert claim(store, again) == first
    assert redis_client.ttl(key) > 5
