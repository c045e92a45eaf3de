"""Makes `results.csv`: the table of `mlq results`, and of each job the folder with its files."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from mlq.api.results import read_members
from mlq.metrics.table import table_of
from mlq.store.store import Store
from mlq_cli.render.result_texts import csv_text


def results_csv(
    store: Store, ids: Sequence[str], told: Sequence[str], folders: Mapping[str, str]
) -> bytes:
    """Return the table of jobs, in order of submission.

    Args:
        store: the queue.
        ids: of the jobs; those that are gone are left out.
        told: parameters in the order in which they were enqueued.
        folders: job -> folder, of those that have one.
    """
    table = table_of(read_members(store, ids, time.time()), told)
    taken = {one.title for one in table.columns}
    title = "folder" if "folder" not in taken else "job_folder"
    rows = [folders.get(one.id, "") for one in table.members]
    return csv_text(table, {title: rows}).encode(errors="replace")
