"""Gives jobs metrics as a worker would: in their hash, and in their attempts' files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from sandbox import Sandbox

from mlq.jobs.lifecycle import Event
from mlq.metrics.extent import extents, metrics_text
from mlq.metrics.series import Point, line_of
from mlq.store import keys


def measure(
    sandbox: Sandbox, job_id: str, *attempts: Sequence[Point], gpu: str = "", event: Event | None
) -> None:
    """Run a job that was queued, on a machine that is none.

    Args:
        sandbox: the installation.
        job_id: the job; it must be the first in line of its class.
        attempts: the points of each attempt; all but the last were lost.
        gpu: the model of its GPU.
        event: how it ended; None: it runs.
    """
    sandbox.claim(job_id, log=None)
    write_points(sandbox, job_id, *attempts)
    if gpu:
        used = json.dumps({"samples": 1, "gpu_model": gpu})
        sandbox.queue().store.client.call("HSET", keys.job(job_id), "mlq_used", used)
    if event is not None:
        sandbox.move(job_id, event, mlq_exit_code=0)


def write_points(sandbox: Sandbox, job_id: str, *attempts: Sequence[Point]) -> None:
    """Write points where a worker does."""
    queue = sandbox.queue()
    found = extents(point for points in attempts for point in points)
    client = queue.store.client
    client.call("HSET", keys.job(job_id), "mlq_metrics", metrics_text(found))
    for number, points in enumerate(attempts, 1):
        path = Path(queue.layout.folder(job_id).metrics_file(number))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(map(line_of, points)))
