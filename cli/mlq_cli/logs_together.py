"""Follows the logs of many jobs at once, such as those of a sweep; each line names its job.

A line appears only when it is complete, so lines of two jobs never run into each other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from mlq.api.queue import Queue
from mlq.jobs.lifecycle import ENDED
from mlq.jobs.view import JobView
from mlq_cli.logs import POLL_S, Copy, Sink
from mlq_cli.root_files import RootFiles

_ASKED_A_SECOND = 4000


class PrefixSink:
    """Writes complete lines, each with a prefix.

    Args:
        prefix: stands before each line.
        sink: takes the lines.
    """

    def __init__(self, prefix: str, sink: Sink) -> None:
        self._prefix, self._sink, self._begun = prefix.encode(), sink, b""

    def write(self, piece: bytes) -> None:
        """Take the next piece."""
        *lines, self._begun = (self._begun + piece).split(b"\n")
        if lines:
            self._sink.write(b"".join(self._prefix + line + b"\n" for line in lines))

    def finish(self) -> None:
        """Write a last line that has no newline."""
        if self._begun:
            self._sink.write(self._prefix + self._begun + b"\n")
        self._begun = b""


class _Followed:
    """The log of one job, from attempt to attempt."""

    def __init__(self, queue: Queue, job: JobView, sink: PrefixSink) -> None:
        self._queue, self._id, self._sink = queue, job.id, sink
        self._attempt = max(0, job.attempt - 1)
        self._copy: Copy | None = None

    def go_on(self, files: RootFiles, job: JobView) -> None:
        """Copy what has not been copied yet, of each attempt that the job has begun."""
        if self._copy is not None:
            self._copy.go_on(files)
        while self._attempt < job.attempt:
            self._sink.finish()
            self._attempt += 1
            self._copy = Copy(self._queue.layout.log_file(self._id, self._attempt), self._sink)
            self._copy.go_on(files)

    def finish(self) -> None:
        """Note that the job has ended."""
        self._sink.finish()


def follow_together(
    queue: Queue, files: RootFiles, ids: Sequence[str], sink: Sink, tell: Callable[[str], None]
) -> list[JobView]:
    """Copy the logs of jobs as they grow, until all jobs have ended; return the ended jobs.

    Jobs that had ended before are not shown.

    Args:
        queue: the queue.
        files: the results root.
        ids: the jobs.
        sink: takes the lines.
        tell: takes remarks about the jobs.
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
                line = PrefixSink(f"{job.id:<{width}} | ", sink)
                followed[job.id] = _Followed(queue, job, line)
            followed[job.id].go_on(files, job)
            if job.state in ENDED:
                followed.pop(job.id).finish()
                tell(f"{job.id} {job.state}" + (f": {job.reason}" if job.reason else ""))
        left = [one for one in left if latest[one].state not in ENDED]
        if left:
            time.sleep(max(POLL_S, len(left) / _ASKED_A_SECOND))
    sink.finish()
    return [latest[one] for one in ids]
