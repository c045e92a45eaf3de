"""Makes `results.csv`: a line for each job in the pulled folder, and where its files are."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

from mlq.api.queue import Queue
from mlq.jobs.view import JobView
from mlq.lenient import text_of
from mlq.metrics.extent import Extent, parse_metrics


def results_csv(queue: Queue, jobs: Sequence[JobView], folders: Mapping[str, str]) -> bytes:
    """Return the table of jobs.

    Args:
        queue: whose jobs they are.
        jobs: the jobs.
        folders: of those that have one.
    """
    rows = queue.store.reads.rows(("status", "mlq_metrics"), [job.id for job in jobs])
    metrics = {row[0]: parse_metrics(text_of(row[2])) for row in rows}
    return text_of_table(jobs, metrics, folders)


def text_of_table(
    jobs: Sequence[JobView], metrics: Mapping[str, Mapping[str, Extent]], folders: Mapping[str, str]
) -> bytes:
    """Return the table of jobs; pure."""
    params = list(dict.fromkeys(name for job in jobs for name in job.params))
    names = list(dict.fromkeys(name for one in metrics.values() for name in one))
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    times = ("submitted_at", "started_at", "ended_at")
    writer.writerow(["id", "name", *params, "state", *times, *names, "folder"])
    for job in jobs:
        values = metrics.get(job.id, {})
        writer.writerow(
            [
                job.id,
                job.name,
                *(job.params.get(name, "") for name in params),
                job.state,
                *(getattr(job, name) or "" for name in times),
                *(values[name].last if name in values else "" for name in names),
                folders.get(job.id, ""),
            ]
        )
    return out.getvalue().encode(errors="replace")
