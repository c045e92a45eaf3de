"""Reading and following the logs of jobs.

The log of an attempt is a growing file on NFS. An NFS client sees what another machine appended
only when it opens the file again, so each read opens it. Logs may have many gigabytes: they are
read and written in pieces.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Protocol, TextIO

from mlq.api.queue import Queue
from mlq.errors import StorageError, TunnelError
from mlq.files.strict_files import Absent, Refused, Unreadable
from mlq.jobs.lifecycle import ENDED, State
from mlq.jobs.view import JobView
from mlq_cli.render.clean import LogCleaner
from mlq_cli.root_files import EMPTIED, Mark, RootFiles

POLL_S = 0.3


class Sink(Protocol):
    """The destination of a log."""

    def write(self, piece: bytes) -> None:
        """Take the next piece."""

    def finish(self) -> None:
        """Note that the log of this attempt has ended."""


class RawSink:
    """Writes a log unchanged into a pipe or a file."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, piece: bytes) -> None:
        """Take the next piece."""
        self._stream.write(piece)
        self._stream.flush()

    def finish(self) -> None:
        """Do nothing: this sink holds nothing back."""


class TerminalSink:
    """Shows a log on a terminal; of its escape sequences only colours pass."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._cleaner = stream, LogCleaner()

    def write(self, piece: bytes) -> None:
        """Take the next piece."""
        self._stream.write(self._cleaner.feed(piece))
        self._stream.flush()

    def finish(self) -> None:
        """Show what this sink has held back, and end any colour."""
        self._stream.write(self._cleaner.finish())
        self._stream.flush()
        self._cleaner = LogCleaner()


def sink_for(stream: TextIO) -> Sink:
    """Return the sink that suits this stream."""
    return TerminalSink(stream) if stream.isatty() else RawSink(stream.buffer)


class Copy:
    """Copies a growing log to a sink, and keeps the offset that it has reached.

    Args:
        path: of the log.
        sink: takes the pieces.
        tell: takes the remark that the job has emptied its log.
    """

    def __init__(
        self, path: Path, sink: Sink, tell: Callable[[str], None] = lambda _: None
    ) -> None:
        self.path, self.sink, self._tell, self._mark = path, sink, tell, Mark()

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

    def _from(self, files: RootFiles, offset: int) -> Iterator[bytes] | None:
        found = files.open_log(self.path, offset)
        if isinstance(found, Absent):
            return None
        if isinstance(found, Unreadable):
            raise _unreadable(self.path, found.why)
        if isinstance(found, Refused):
            raise StorageError(f"cannot show {self.path}", why=f"it {found.why}")
        return self._read(iter(found.pieces))

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
    job_id: str,
    attempt: int,
    sink: Sink,
    tell: Callable[[str], None],
) -> JobView:
    """Copy a job's log to a sink as it grows, attempt after attempt, until the job has ended.

    Args:
        queue: the queue.
        files: the results root.
        job_id: the job.
        attempt: the first attempt to show; 0 waits for the first one to start.
        sink: takes the log.
        tell: takes remarks about the job.
    """

    def copy_of(number: int) -> Copy:
        path = queue.layout.log_file(job_id, number)
        return Copy(path, sink, lambda what: tell(f"{job_id}: {what}"))

    copy = copy_of(attempt) if attempt else None
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
            copy = copy_of(attempt)
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


def show_once(queue: Queue, files: RootFiles, job: JobView, attempt: int, sink: Sink) -> bool:
    """Copy the present log of an attempt; return whether it exists."""
    copy = Copy(queue.layout.log_file(job.id, attempt), sink)
    try:
        found = copy.go_on(files)
    except TunnelError:
        if not copy.offset:
            raise
        found = copy.go_on(files)  # the connection broke: try once more, from the offset reached
    sink.finish()
    return found


def out_sink() -> Sink:
    """Return the sink for standard output."""
    return sink_for(sys.stdout)
