"""huey: results in Redis, a consumer with two processes."""

from __future__ import annotations

import redis
from common import REDIS_SOCKET, measure, run_true
from huey import RedisHuey

huey = RedisHuey(
    "bench",
    connection_pool=redis.ConnectionPool(
        connection_class=redis.UnixDomainSocketConnection, path=REDIS_SOCKET
    ),
)


@huey.task()
def job() -> int:
    run_true()
    return 0


def enqueue(count: int) -> None:
    for _ in range(count):
        job()


if __name__ == "__main__":
    import huey_app  # as the consumer does: the module is part of a task's name

    measure(huey_app.enqueue, huey_app.huey.storage.result_store_size)
