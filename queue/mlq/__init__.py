"""mlq: one queue for machine-learning experiments over a room of shared lab workstations.

    from mlq import Queue
    job = Queue.connect().enqueue(["python", "train.py"], gpus=1, vram="6G")

Inside a job, `mlq.report(0.4, loss=1.2)` reports how far it is, and `mlq.requeue()` stops it and
queues it again; both work also where mlq is not installed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mlq.version import __version__

if TYPE_CHECKING:
    from mlq.api.inside import requeue
    from mlq.api.job import Job, JobResult
    from mlq.api.queue import Queue
    from mlq.jobs.standalone.mlq import report

__all__ = ["Job", "JobResult", "Queue", "__version__", "report", "requeue"]

# Looked up on first use: the command and the supervisor import parts of this package and must not
# pay for the rest.
_HOMES = {
    "Job": "mlq.api.job",
    "JobResult": "mlq.api.job",
    "Queue": "mlq.api.queue",
    "report": "mlq.jobs.standalone.mlq",
    "requeue": "mlq.api.inside",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'mlq' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
