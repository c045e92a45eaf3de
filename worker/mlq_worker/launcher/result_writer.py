"""Writes each result to NFS before its end is reported, unless NFS fails or hangs.

A disk that is full or hangs must not keep a job's end, and its share of the machine, from the
queue. So after an error, or after some seconds without an answer, the launcher reports the end all
the same, and goes on writing until it succeeds or the queue has the result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from mlq.jobs.attempt import AttemptId
from mlq_worker.ipc.launcher_messages import Recorded
from mlq_worker.ipc.values import Result
from mlq_worker.launcher.edges import Edges
from mlq_worker.launcher.results import tells_last_line

_PATIENCE_S = 10.0
_RETRY_S = 2.0  # the first pause after an error; doubled each time
_RETRY_MAX_S = 60.0
_NEVER = float("inf")


@dataclass(slots=True)
class _Entry:
    result: Result
    tell_at: float
    hidden: tuple[str, ...]
    retry_s: float = _RETRY_S
    retry_at: float = _NEVER


class ResultWriter:
    """Results on their way to NFS.

    Args:
        edges: the results root, and the threads that write there.
        report: is told of each attempt once its end may be reported.
    """

    def __init__(
        self,
        edges: Edges,
        report: Callable[[Recorded], None],
    ) -> None:
        self._host, self._pool, self._files = edges.host, edges.pool, edges.files
        self._report = report
        self._entries: dict[AttemptId, _Entry] = {}

    def put(self, result: Result, hidden: tuple[str, ...] = ()) -> None:
        """Write a result, in a thread; `hidden` are texts that must not be in it."""
        entry = _Entry(result, self._host.boottime() + _PATIENCE_S, hidden)
        self._entries[result.attempt] = entry
        self._write(entry)

    def forget(self, attempt: AttemptId) -> None:
        """Stop trying to write: the queue has the result."""
        self._entries.pop(attempt, None)

    def tick(self, now: float) -> float:
        """Do what is due; return when (boot time) the next thing is."""
        due = _NEVER
        for entry in self._entries.values():
            if now >= entry.tell_at:
                self._tell(entry, Recorded(entry.result.attempt, is_written=False))
            if now >= entry.retry_at:
                entry.retry_at = _NEVER
                self._write(entry)
            due = min(due, entry.tell_at, entry.retry_at)
        return due

    def _write(self, entry: _Entry) -> None:
        self._pool.submit(lambda: partial(self._written, entry, *self._try_to_write(entry)))

    def _try_to_write(self, entry: _Entry) -> tuple[Recorded, str]:
        """Return what is to be told of the attempt, if it is written, and what went wrong.

        Must not change the entry.
        """
        result, line = entry.result, ""
        has_said = self._files.has_said(result)
        if tells_last_line(result):
            line = self._files.last_line(result, entry.hidden)
        if line:
            result = replace(result, last_line=line)
        found = Recorded(result.attempt, is_written=True, last_line=line, has_said=has_said)
        return found, self._files.write(result)

    def _written(self, entry: _Entry, found: Recorded, error: str) -> None:
        self._tell(entry, found._replace(is_written=not error))
        if not error:
            self._entries.pop(entry.result.attempt, None)
            return
        self._host.note(f"{error}; trying again in {entry.retry_s:.0f} s")
        entry.retry_at = self._host.boottime() + entry.retry_s
        entry.retry_s = min(2 * entry.retry_s, _RETRY_MAX_S)

    def _tell(self, entry: _Entry, found: Recorded) -> None:
        if entry.tell_at != _NEVER:
            entry.tell_at = _NEVER
            self._report(found)
