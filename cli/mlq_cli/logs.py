"""Reading and following the logs of jobs.

The log of an attempt is a growing file on NFS. An NFS client sees what another machine appended
only when it opens the file again, so each read opens it. Logs may have many gigabytes: they are
read and written in pieces.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mlq.api.queue import Queue
from mlq.errors import StorageError, TunnelError
from mlq.files.strict_files import Absent, Missing, Refused, Unreadable
from mlq.jobs.lifecycle import ENDED, State
from mlq.jobs.view import JobView
from mlq_cli.root_files import EMPTIED, Mark, RootFiles

if TYPE_CHECKING:
    from mlq_cli.log_sinks import Sink
    from mlq_cli.remote.far_reader import Log

POLL_S = 0.3


class Begin(NamedTuple):
    """Where to begin with a log that may be large; the sink shows only what is wanted of that.

    Args:
        offset: the byte from which on it counts.
        rows: only so many, the last ones; 0 means all.
        pattern: only rows that match; they are looked for where the log lies. "" means all.
    """

    offset: int = 0
    rows: int = 0
    pattern: str = ""


FROM_THE_START = Begin()


class First(NamedTuple):
    """Where to begin to follow a job.

    Args:
        job_id: the job.
        attempt: the first attempt to show; 0 waits for the first one to start.
        begin: where to begin with that attempt; of later ones all is new.
    """

    job_id: str
    attempt: int
    begin: Begin = FROM_THE_START


class Copy:
    """Copies a growing log to a sink, and keeps the offset that it has reached.

    Args:
        path: of the log.
        sink: takes the pieces.
        tell: takes the remark that the job has emptied its log.
        begin: where to begin.
    """

    def __init__(
        self,
        path: Path,
        sink: Sink,
        tell: Callable[[str], None] = lambda _: None,
        begin: Begin = FROM_THE_START,
    ) -> None:
        self.path, self.sink, self._tell, self._mark = path, sink, tell, Mark()
        self._begin: Begin | None = begin if begin != FROM_THE_START else None

    @property
    def offset(self) -> int:
        """How many bytes of the log have been copied."""
        return self._mark.offset

    def go_on(self, files: RootFiles) -> bool:
        """Copy the part that has not been copied yet; return whether the file exists.

        Raises:
            StorageError: the log cannot be read.
            MlqError: the host that has it cannot be reached; the part that arrived was copied.
        """
        if self._begin is not None and not self._copy_begin(files, self._begin):
            return False
        pieces = self._from(files, self._mark.look_from)
        if pieces is None:
            return False
        new = self._mark.new_part(pieces)
        if new is None:
            for _ in pieces:  # the reply of a remote reader must be read to its end
                continue
            self._tell(EMPTIED)
            self._mark, new, pieces = Mark(), b"", self._from(files, 0) or iter(())
        for piece in chain((new,) if new else (), pieces):
            self.sink.write(piece)
            self._mark.add(piece)
        return True

    def _copy_begin(self, files: RootFiles, begin: Begin) -> bool:
        """Copy what is found of the present log, and go on behind it; return whether it exists."""
        if begin.pattern:
            found = files.search_log(self.path, begin.offset, begin.pattern, begin.rows)
        else:
            found = files.open_log(self.path, begin.offset, begin.rows)
        log = self._log(found)
        if log is None:
            return False
        if not begin.pattern:
            self._mark, self._begin = Mark(log.begin), None
        for piece in self._read(log.pieces):
            self.sink.write(piece)
            if not begin.pattern:
                self._mark.add(piece)
        if begin.pattern:
            self._mark, self._begin = Mark(log.size), None
        return True

    def _from(self, files: RootFiles, offset: int) -> Iterator[bytes] | None:
        log = self._log(files.open_log(self.path, offset))
        return None if log is None else self._read(log.pieces)

    def _log(self, found: Log | Missing) -> Log | None:
        if isinstance(found, Absent):
            return None
        if isinstance(found, Unreadable):
            raise _unreadable(self.path, found.why)
        if isinstance(found, Refused):
            raise StorageError(f"cannot show {self.path}", why=f"it {found.why}")
        return found

    def _read(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        while piece := self._next(pieces):
            yield piece

    def _next(self, pieces: Iterator[bytes]) -> bytes:
        try:
            return next(pieces, b"")
        except OSError as error:
            raise _unreadable(self.path, error.strerror or str(error)) from None


def _unreadable(path: Path, why: str) -> StorageError:
    fix = "is the results root mounted here? See: mlq config"
    return StorageError(f"cannot read {path}", why=why, fix=fix)


def follow(
    queue: Queue,
    files: RootFiles,
    sink: Sink,
    tell: Callable[[str], None],
    first: First,
) -> JobView:
    """Copy a job's log to a sink as it grows, attempt after attempt, until the job has ended.

    Args:
        queue: the queue.
        files: the results root.
        sink: takes the log.
        tell: takes remarks about the job.
        first: the job, and where to begin.
    """
    job_id, attempt, begin = first

    def copy_of(number: int, begin: Begin) -> Copy:
        path = queue.layout.log_file(job_id, number)
        return Copy(path, sink, lambda what: tell(f"{job_id}: {what}"), begin)

    copy = copy_of(attempt, begin) if attempt else None
    told, looked = "", False
    while True:
        # Read the state before the file: then the file has all that the job wrote before its end.
        (job,) = queue.views([job_id])
        try:
            if copy is not None:
                copy.go_on(files)
                looked = True
        except TunnelError as error:
            if not looked:
                raise
            told = _tell_once(f"{error.what}; waiting for it (Ctrl-C stops that)", told, tell)
            time.sleep(POLL_S)
            continue
        if job.attempt > attempt:
            if copy is not None:
                sink.finish()
            attempt += 1
            copy = copy_of(attempt, Begin(pattern=begin.pattern))
            if attempt > 1 or told:
                told = f"attempt {attempt}" + (f" on {job.machine}" if job.machine else "")
                tell(f"{job_id}: {told}")
            continue
        if job.state in ENDED:
            sink.finish()
            return job
        if job.state != State.STARTED:
            told = _tell_once(_waiting(job), told, tell)
        time.sleep(POLL_S)


def _tell_once(remark: str, told: str, tell: Callable[[str], None]) -> str:
    if remark != told:
        tell(remark)
    return remark


def _waiting(job: JobView) -> str:
    if job.attempt:
        why = f": {job.reason}" if job.reason else ""
        return f"{job.id}: attempt {job.attempt} ended{why}; the job is {job.state} again"
    return f"{job.id} is {job.state}; its log begins when it starts (why it waits: mlq explain)"


def show_once(files: RootFiles, path: Path, sink: Sink, begin: Begin = FROM_THE_START) -> bool:
    """Copy the present log of an attempt; return whether it exists."""
    copy = Copy(path, sink, begin=begin)
    try:
        found = copy.go_on(files)
    except TunnelError:
        if not copy.offset:
            raise
        found = copy.go_on(files)  # the connection broke: try once more, from the offset reached
    sink.finish()
    return found
