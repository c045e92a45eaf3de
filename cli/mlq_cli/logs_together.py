"""Follows the logs of many jobs at once, such as those of a sweep; each line names its job.

A line appears only when it is complete, so lines of two jobs never run into each other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from mlq.api.queue import Queue
from mlq.jobs.lifecycle import ENDED
from mlq.jobs.view import JobView
from mlq_cli.log_sinks import Sink
from mlq_cli.logs import FROM_THE_START, POLL_S, Begin, Copy
from mlq_cli.root_files import RootFiles

_ASKED_A_SECOND = 4000


class _Followed:
    """The log of one job, from attempt to attempt."""

    def __init__(self, queue: Queue, job: JobView, sink: Sink, begin: Begin) -> None:
        self._queue, self._id, self._sink, self._begin = queue, job.id, sink, begin
        self._attempt = max(0, job.attempt - 1)
        self._copy: Copy | None = None

    def go_on(self, files: RootFiles, job: JobView) -> None:
        """Copy what has not been copied yet, of each attempt that the job has begun."""
        if self._copy is not None:
            self._copy.go_on(files)
        while self._attempt < job.attempt:
            self._sink.finish()
            self._attempt += 1
            path = self._queue.layout.log_file(self._id, self._attempt)
            self._copy = Copy(path, self._sink, begin=self._begin)
            self._copy.go_on(files)
            self._begin = Begin(pattern=self._begin.pattern)  # of later attempts all is new

    def finish(self) -> None:
        """Note that the job has ended."""
        self._sink.finish()


def follow_together(
    queue: Queue,
    files: RootFiles,
    ids: Sequence[str],
    sink_of: Callable[[str], Sink],
    tell: Callable[[str], None],
    begin: Callable[[JobView], Begin] = lambda _: FROM_THE_START,
) -> list[JobView]:
    """Copy the logs of jobs as they grow, until all jobs have ended; return the ended jobs.

    Jobs that had ended before are not shown.

    Args:
        queue: the queue.
        files: the results root.
        ids: the jobs.
        sink_of: makes the destination of one job's log, from what stands before each of its lines.
        tell: takes remarks about the jobs.
        begin: tells where to begin with a job's present log.
    """
    width = max(map(len, ids), default=0)
    latest = {job.id: job for job in queue.views(ids)}
    left = [job.id for job in latest.values() if job.state not in ENDED]
    followed: dict[str, _Followed] = {}
    while left:
        # Read the states before the files: then a file has all that its job wrote before its end.
        for job in queue.views(left):
            latest[job.id] = job
            if not job.attempt:
                continue
            if job.id not in followed:
                sink = sink_of(f"{job.id:<{width}} | ")
                followed[job.id] = _Followed(queue, job, sink, begin(job))
            followed[job.id].go_on(files, job)
            if job.state in ENDED:
                followed.pop(job.id).finish()
                tell(f"{job.id} {job.state}" + (f": {job.reason}" if job.reason else ""))
        left = [one for one in left if latest[one].state not in ENDED]
        if left:
            time.sleep(max(POLL_S, len(left) / _ASKED_A_SECOND))
    return [latest[one] for one in ids]
