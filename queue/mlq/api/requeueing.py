"""Queues running jobs again, as their user asks from outside.

The wish stands in the queue, as for a cancel: the job's worker stops the attempt. How a job asks
for itself is in `mlq.jobs.own_attempt`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mlq.jobs.lifecycle import WAITING
from mlq.store.store import Store


class Requeued(NamedTuple):
    """The outcome of queueing jobs again.

    Args:
        stopping: their attempts are being stopped, and then they are queued again.
        waiting: left alone, since they wait already.
        canceled: left alone, since their user has canceled them and they are being stopped.
        ended: left alone, since they have ended.
    """

    stopping: list[str]
    waiting: list[str]
    canceled: list[str]
    ended: list[str]


def requeue(store: Store, ids: Sequence[str], reason: str) -> Requeued:
    """Ask for jobs to be queued again; see `mlq.api.queued_jobs.QueuedJobs.requeue`."""
    stopping, canceled = store.ask_to_requeue(ids, reason)
    others = [one for one in ids if one not in {*stopping, *canceled}]
    rows = store.reads.rows(("status",), others) if others else []
    waiting = [job_id for job_id, state in rows if state in WAITING]
    ended = [job_id for job_id, state in rows if state not in WAITING]
    return Requeued(stopping, waiting, canceled, ended)
