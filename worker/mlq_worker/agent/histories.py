"""Reads the past of jobs from the queue."""

from __future__ import annotations

from collections.abc import Iterable

from mlq.lenient import dict_or_empty, int_or
from mlq.store.store import Store
from mlq_worker.agent.outcomes import History

_FIELDS = (
    "status",
    "mlq_spec",
    "mlq_retries",
    "mlq_failures",
    "mlq_losses",
    "mlq_stop",
    "mlq_folder_faults",
)


def histories(store: Store, ids: Iterable[str]) -> dict[str, History]:
    """Return the past of these jobs, by id; an empty one of a job that the queue does not know."""
    found = {job_id: History() for job_id in ids}
    for job_id, _, spec, retries, failures, losses, stop, faults in store.reads.rows(
        _FIELDS, list(found)
    ):
        # Of a job that an older mlq enqueued only the description says it.
        asked = int_or(retries) or int_or(dict_or_empty(spec).get("retries", 0))
        found[job_id] = History(asked, int_or(failures), int_or(losses), stop, int_or(faults))
    return found
