"""dramatiq: two processes with a thread each; a job is gone from Redis once it is acknowledged."""

from __future__ import annotations

import dramatiq
import redis
from common import REDIS_SOCKET, measure, run_true
from dramatiq.brokers.redis import RedisBroker

client = redis.Redis(unix_socket_path=REDIS_SOCKET)
broker = RedisBroker(client=client)
dramatiq.set_broker(broker)


@dramatiq.actor
def job() -> None:
    run_true()


enqueued = 0


def enqueue(count: int) -> None:
    global enqueued  # noqa: PLW0603 - a counter for `ended`
    for _ in range(count):
        job.send()
    enqueued += count


def ended() -> int:
    return enqueued - client.hlen("dramatiq:default.msgs")


if __name__ == "__main__":
    measure(enqueue, ended)
