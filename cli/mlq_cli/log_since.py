"""Finds where in a log the last minutes begin.

A log is what the job wrote and has no times of its own. But the worker notes its size beside each
sample of what the job used, every ten seconds (`usage.jsonl`). What it noted last before the time
that was asked for is where the answer begins: a few seconds too early, never too late.
"""

from __future__ import annotations

from pathlib import Path

from mlq.errors import InvalidInputError
from mlq.files.strict_files import Absent, Refused, Unreadable
from mlq.jobs.view import JobView
from mlq.metrics.usage import log_sizes
from mlq.units import format_duration, parse_iso
from mlq_cli.root_files import RootFiles

_EVERY_S = 10
_MORE_LINES = 30
_ALL_LINES = 1 << 30


def offset_since(
    files: RootFiles, usage_file: Path, job: JobView, attempt: int, since_s: float, now_s: float
) -> int | None:
    """Return the offset in an attempt's log since when something was written; None: nothing was.

    Args:
        files: the results root.
        usage_file: of the attempt.
        job: the job.
        attempt: the attempt.
        since_s: how many seconds ago.
        now_s: unix time.

    Raises:
        InvalidInputError: there is nothing to tell it by.
        MlqError: the root cannot be reached.
    """
    at_s = now_s - since_s
    is_last = attempt == job.attempt
    if is_last and job.ended_at and parse_iso(job.ended_at) < at_s:
        return None
    if is_last and job.started_at and parse_iso(job.started_at) >= at_s:
        return 0
    for lines in (int(since_s / _EVERY_S) + _MORE_LINES, _ALL_LINES):
        noted = list(log_sizes(_tail(files, usage_file, lines)))
        before = [size for one_s, size in noted if one_s <= at_s]
        if before:
            return before[-1]
    if noted:
        return 0  # it began since then
    raise InvalidInputError(
        f"it is not known what job {job.id} wrote in the last {format_duration(since_s)}",
        why="its log has no times, and its worker has noted none",
        fix="--tail N shows its last lines",
    )


def _tail(files: RootFiles, path: Path, lines: int) -> bytes:
    found = files.open_log(path, 0, lines)
    if isinstance(found, Absent | Unreadable | Refused):
        return b""
    return b"".join(found.pieces)
