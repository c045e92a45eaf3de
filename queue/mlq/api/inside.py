"""What Python code in a job can do about its own job: `mlq.requeue()`."""

from __future__ import annotations

from mlq.api.queue import Queue
from mlq.errors import InvalidInputError
from mlq.jobs.own_attempt import leave_wish, own_job


def requeue() -> None:
    """Queue the job that this process belongs to again; its attempt is stopped soon.

    The exit code no longer matters then. No retry is used up. It works while the queue cannot be
    reached.

    Raises:
        InvalidInputError: this process belongs to no job.
        QueueUnreachableError: the results root cannot be written, and the queue does not answer.
    """
    job_id = own_job()
    if not job_id:
        raise InvalidInputError(
            "this process belongs to no job", why="MLQ_JOB_ID is not set", fix="mlq requeue ID"
        )
    if not leave_wish():
        Queue.connect().requeue([job_id], "queued again: it asked for that")
