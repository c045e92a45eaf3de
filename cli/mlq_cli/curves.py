"""Reads the metrics of jobs step by step: from the results root, here or on the queue's host."""

from __future__ import annotations

import time
from collections.abc import Sequence

from mlq.api.curves import attempts_of
from mlq.api.queue import Queue
from mlq.metrics.member import Member
from mlq.metrics.series import Point, merged
from mlq_cli.invocation.session import say
from mlq_cli.render.progress import Progress
from mlq_cli.render.words import listed_briefly
from mlq_cli.root_files import root_files

_SHOWN_AFTER_S, _SHOWN_EVERY_S = 0.5, 0.1


def attempts_by_job(queue: Queue, members: Sequence[Member]) -> dict[str, list[list[Point]]]:
    """Return for each job the points of each of its attempts; show on a terminal how it goes.

    Raises:
        MlqError: the root is neither here nor on the queue's host, or that cannot be reached.
    """
    files = root_files(queue.settings)
    folders = [queue.layout.folder(one.id).path for one in members]
    found: dict[str, list[list[Point]]] = {}
    if not folders:
        return found
    show_s = time.monotonic() + _SHOWN_AFTER_S
    with Progress() as progress:
        try:
            for one, read in zip(members, files.metrics(folders), strict=True):
                found[one.id] = attempts_of(read)
                if time.monotonic() >= show_s:
                    progress.show({"curves read": f"{len(found)} of {len(folders)}"})
                    show_s = time.monotonic() + _SHOWN_EVERY_S
        finally:
            files.close()
    return found


def points_by_job(queue: Queue, members: Sequence[Member]) -> dict[str, list[Point]]:
    """Return the points of each job, all attempts together: id -> points."""
    found = attempts_by_job(queue, members)
    if gone := [job_id for job_id, attempts in found.items() if not any(attempts)]:
        say(f"without a curve on the results root: {listed_briefly(gone)}")
    return {job_id: merged(attempts) for job_id, attempts in found.items()}
