"""Reads the end of a job's log and its metrics from the results root.

The root is usually NFS, so anything here may hang: it runs in a thread of its own (`watches`). Of a
log only the end is read, however long it is. Metrics are read again only when the queue says that
they have changed.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from mlq.errors import MlqError
from mlq.files.layout import Layout
from mlq.files.metrics_files import Bounds
from mlq.files.strict_files import Absent, Missing, Refused
from mlq.metrics.series import Point, curve, merged, points_of
from mlq_cli.remote.far_reader import Log
from mlq_cli.render.clean import clean
from mlq_cli.render.rows import Rows, without_colours
from mlq_cli.root_files import RootFiles
from mlq_cli.top.detail import CurveSeen, LogSeen

TAIL_BYTES = 32 * 1024
LINES_MOST = 400
_BOUNDS = Bounds(attempts=20, file_bytes=4 << 20)
_COLUMNS_MOST = 1000
_BEHIND_THE_END = 1 << 42  # more than any log has, and less than file systems allow


class _End(NamedTuple):
    """The end of a file, and the size of all of it in bytes."""

    size: int
    data: bytes


class JobFiles:
    """The files of the jobs that were selected; it keeps what need not be read again.

    Args:
        files: the results root, from here or through the queue's host.
        layout: where the files of a job are.
    """

    def __init__(self, files: RootFiles, layout: Layout) -> None:
        self._files, self._layout = files, layout
        self._log = LogSeen()
        self._size = -1
        self._points: list[Point] = []
        self._points_of: tuple[str, object] = ("", None)

    def log(self, job_id: str, attempt: int) -> LogSeen:
        """Return the end of the log of an attempt, or why there is none."""
        if (job_id, attempt) != (self._log.job_id, self._log.attempt):
            self._log, self._size = LogSeen(job_id, attempt), -1
        try:
            self._read_log(self._layout.log_file(job_id, attempt))
        except MlqError as error:
            self._lack(clean(f"{error.what}: {error.why}"))
        except OSError as error:
            self._lack(clean(error.strerror or str(error)))
        return self._log

    def _lack(self, why: str) -> None:
        self._size = -1
        self._log = LogSeen(self._log.job_id, self._log.attempt, (), why)

    def _read_log(self, path: Path) -> None:
        found = self._end(path, TAIL_BYTES, self._size)
        if found is None:
            return
        if not isinstance(found, _End):
            self._lack(_why(found))
            return
        self._size = found.size
        shown = shown_lines(found.data, is_whole=found.size <= TAIL_BYTES)
        self._log = self._log._replace(lines=shown, why="")

    def _end(self, path: Path, most_bytes: int, known_size: int = -1) -> _End | Missing | None:
        """Return the end of a file; None if it still has the size that is known."""
        found = self._files.open_log(path, _BEHIND_THE_END)
        if not isinstance(found, Log):
            return found
        for _ in found.pieces:  # a file is closed, and a remote reader's reply over, at its end
            continue
        if found.size == known_size:
            return None
        found = self._files.open_log(path, max(0, found.size - most_bytes))
        if not isinstance(found, Log):
            return found
        data = b""
        for piece in found.pieces:
            data = (data + piece)[-most_bytes:]
        return _End(found.size, data)

    def curve(self, job_id: str, metric: str, version: object) -> CurveSeen:
        """Return the values of a metric of a job, all attempts together.

        Args:
            job_id: the job.
            metric: the metric.
            version: anything that changes when the job has reported more.
        """
        if self._points_of != (job_id, version):
            folder = self._layout.folder(job_id).path
            (found,) = self._files.metrics([folder], _BOUNDS)
            self._points = merged([list(points_of(data)) for _, data in found])
            self._points_of = job_id, version
        values = [value for _, value in curve(self._points, metric)]
        return CurveSeen(job_id, metric, values)


def _why(missing: Missing) -> str:
    if isinstance(missing, Absent):
        return "it has no log here"
    return f"its log {missing.why}" if isinstance(missing, Refused) else clean(missing.why)


def shown_lines(data: bytes, *, is_whole: bool) -> tuple[str, ...]:
    """Return the last rows of a log as a terminal would show them, and as `mlq logs` does.

    Args:
        data: the end of the log.
        is_whole: whether it is all of the log; otherwise its first line may be torn.
    """
    rows = Rows()
    text = without_colours(rows.feed(data) + rows.finish())
    lines = text.removesuffix("\n").split("\n")
    if not is_whole and len(lines) > 1:
        del lines[0]
    shown = (clean(one.expandtabs()[:_COLUMNS_MOST]) for one in lines[-LINES_MOST:])
    return tuple(shown) if data else ()
