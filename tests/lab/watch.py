"""Looking at the queue of a lab in a box from outside, as often as one likes.

The commands on the machines are what is tested; this is for the test to see what became of them,
by the queue's own socket, at a hundredth of what a command costs. It looks and changes nothing.
"""

from __future__ import annotations

import redis
from installation import private_settings
from machine import UID, NamespaceMachine
from redis.backoff import NoBackoff
from redis.retry import Retry
from waiting import wait_for

from mlq.api.queue import Queue
from mlq.errors import QueueRefusedError, QueueUnreachableError
from mlq.files.layout import Layout
from mlq.jobs.lifecycle import ENDED
from mlq.jobs.view import JobView
from mlq.store.connection import RedisClient
from mlq.store.store import Store

SOCKET = f"/tmp/mlq-{UID}/redis.sock"


class Watch:
    """The queue on a machine, from outside.

    Args:
        machine: the queue's host.
        layout: the results root.
    """

    def __init__(self, machine: NamespaceMachine, layout: Layout) -> None:
        self._machine = machine
        self._settings = private_settings(machine.disk)._replace(root=layout.root)
        self._queue: Queue | None = None

    def jobs(self) -> dict[str, JobView]:
        """Return all jobs by id; none while the queue is away."""
        try:
            if self._queue is None:
                self._queue = Queue(Store(self._connected()), self._settings)
            return {job.id: job for job in self._queue.every()}
        except (QueueUnreachableError, QueueRefusedError):  # ended, or still loading its log
            self._queue = None
            return {}

    def _connected(self) -> RedisClient:
        # Not by `mlq.store.wire`: it refuses sockets of other users, and these tests run as root.
        folder = self._machine.disk / "home" / ".config" / "mlq"
        path = self._machine.seen(SOCKET)
        client = redis.Redis(
            unix_socket_path=str(path),
            username="mlq",
            password=(folder / "redis.password").read_text().strip(),
            socket_timeout=5,
            retry=Retry(NoBackoff(), 0),
        )
        return RedisClient(client, path)

    def until(self, job_id: str, state: str, *, attempt: int = 1, timeout_s: float = 60) -> JobView:
        """Wait until a job is in this state, in this attempt or a later one."""

        def reached() -> JobView | None:
            job = self.jobs().get(job_id)
            if job is None:
                return None
            if job.state in ENDED and (job.state != state or job.attempt < attempt):
                raise AssertionError(f"{job}")
            return job if job.state == state and job.attempt >= attempt else None

        return wait_for(reached, timeout_s, f"job {job_id} to be {state} ({attempt})")
