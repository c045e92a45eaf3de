"""celery: two processes, results in Redis, no gossip, no mingling, no heartbeat."""

from __future__ import annotations

import redis
from celery import Celery, group
from common import REDIS_SOCKET, measure, run_true

client = redis.Redis(unix_socket_path=REDIS_SOCKET)
url = f"redis+socket://{REDIS_SOCKET}"
app = Celery("celery_app", broker=url, backend=url)
app.conf.update(worker_prefetch_multiplier=64, task_compression=None, worker_send_task_events=False)


@app.task
def job() -> int:
    run_true()
    return 0


def enqueue(count: int) -> None:
    group(job.s() for _ in range(count)).apply_async()


def ended() -> int:
    return sum(1 for _ in client.scan_iter("celery-task-meta-*", count=5000))


if __name__ == "__main__":
    measure(enqueue, ended)
