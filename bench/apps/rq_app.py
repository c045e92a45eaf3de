"""rq: two stock workers, which fork for each job; results in Redis."""

from __future__ import annotations

import redis
from common import REDIS_SOCKET, measure, run_true
from rq import Queue
from rq.registry import FinishedJobRegistry

client = redis.Redis(unix_socket_path=REDIS_SOCKET)
queue = Queue(connection=client)


def job() -> int:
    run_true()
    return 0


def enqueue(count: int) -> None:
    queue.enqueue_many([Queue.prepare_data("rq_app.job") for _ in range(count)])


def ended() -> int:
    return client.zcard(FinishedJobRegistry(queue=queue).key)


if __name__ == "__main__":
    measure(enqueue, ended)
