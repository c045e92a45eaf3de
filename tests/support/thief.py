"""A thief: has the queue's password and a way to its socket, but not the signing key.

Everything it does goes straight to Redis, with the rights of the queue's user.
"""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from local_lab import Lab
from waiting import wait_for

from mlq.api.queue import Queue
from mlq.jobs.lifecycle import ENDED
from mlq.jobs.spec import JobSpec
from mlq.jobs.view import JobView
from mlq.store.connection import open_redis
from mlq.store.templates import STORED, Raw, whole_specs
from mlq.submit.submission import Submission


class Thief:
    """A thief in a lab.

    Args:
        lab: the lab.
    """

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.redis = open_redis(lab.queue.settings)
        self.key = b"\x00" * 32
        self._gate = lab.sh("true", machine="nowhere")

    @property
    def traces(self) -> list[str]:
        """The files that only a program of the thief's would make."""
        return sorted(path.name for path in self._lab.folder.glob("evil*"))

    @property
    def evil(self) -> Path:
        """A file for a program of the thief's to make."""
        return self._lab.folder / "evil"

    def enqueue(self, *argv: str, **options: Any) -> str:
        """Enqueue a job the usual way, signed with the thief's own key."""
        options = {"cwd": str(self._lab.folder), "python_env": "", **options}
        queue = Queue(self._lab.queue.store, self._lab.queue.settings, key=self.key)
        (job,) = queue.submit([Submission(argv=argv, **options)])
        return job.id

    def enqueue_function(self, name: str, job_id: str, *args: Any) -> None:
        """Enqueue a Python function as plain rq does: without a signature."""
        call = json.dumps([name, None, args, {}])
        fields = {"status": "queued", "origin": "default", "data": call, "created_at": ""}
        self.redis.hset(f"rq:job:{job_id}", mapping=fields)  # type: ignore[arg-type]
        self.let_go(job_id)

    def waiting_job(self, script: str, **options: Any) -> str:
        """Let the victim enqueue a job that waits until the thief lets it go."""
        return self._lab.sh(script, after=(self._gate,), **options)

    def hash_of(self, job_id: str) -> dict[str, bytes]:
        """Return the hash of a job."""
        raw: dict[bytes, bytes] = self.redis.hgetall(f"rq:job:{job_id}")  # type: ignore[assignment]
        return {name.decode(): value for name, value in raw.items()}

    def spec_of(self, job_id: str) -> str:
        """Return the description of a job as it was signed."""
        fields = self.hash_of(job_id)
        raw = Raw(job_id, *(fields.get(name, b"").decode() for name in STORED))
        return whole_specs(self._lab.queue.store.client, [raw])[0]

    def alter(self, job_id: str, **fields: bytes | str | float | None) -> None:
        """Set fields of a job; None drops one."""
        for name, value in fields.items():
            if value is None:
                self.redis.hdel(f"rq:job:{job_id}", name)
            else:
                self.redis.hset(f"rq:job:{job_id}", name, value)

    def alter_spec(self, job_id: str, **changes: Any) -> None:
        """Change what the job's description says, under its old signature."""
        spec = json.loads(self.spec_of(job_id))
        assert not changes.keys() - {one.name for one in fields(JobSpec)}
        text = json.dumps({**spec, **changes}, sort_keys=True, separators=(",", ":"))
        self.alter(job_id, mlq_spec=text)

    def copy(self, job_id: str, new_id: str) -> str:
        """Store a job once more, under another id."""
        self.redis.hset(f"rq:job:{new_id}", mapping=self.hash_of(job_id))  # type: ignore[arg-type]
        return new_id

    def let_go(self, job_id: str, class_name: str = "") -> None:
        """Put a job in the queue, whatever its state is; by default in that of its class."""
        fields = self.hash_of(job_id)
        origin = fields["origin"].decode(errors="replace")
        for registry in ("deferred", "finished", "failed", "canceled"):
            self.redis.zrem(f"rq:{registry}:{origin}", job_id)
        self.redis.zrem("mlq:ended", job_id)
        self.redis.hset(f"rq:job:{job_id}", "status", "queued")
        self.redis.sadd("rq:queues", f"rq:queue:{class_name or origin}")
        self.redis.rpush(f"rq:queue:{class_name or origin}", job_id)
        self.redis.publish("mlq:wake", "work")

    def until_ended(self, job_id: str) -> JobView:
        """Wait until a job has ended, however."""

        def ended() -> JobView | None:
            job = self._lab.job(job_id)
            return job if job.state in ENDED else None

        return wait_for(ended, what=f"the end of job {job_id}")
