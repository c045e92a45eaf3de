"""Reading and following the logs of jobs.

The log of an attempt is a growing file on NFS. Two habits of NFS clients shape this: a name that
was looked up before it existed stays unknown for up to a minute, so names are looked for in their
folder's listing; and what another machine appended is seen once the file is opened anew, so it is
opened for each look. Logs may be many gigabytes: they pass through in pieces.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol, TextIO

from mlq.errors import StorageError
from mlq.lifecycle import ENDED, State
from mlq.queues import Queue
from mlq.strict_files import Absent, Refused, Unreadable, open_file
from mlq.views import JobView
from mlq_cli.render.log_cleaner import LogCleaner

PIECE_BYTES = 1 << 18
POLL_S = 0.3


class Sink(Protocol):
    """Where a log goes."""

    def write(self, piece: bytes) -> None:
        """Take the next piece."""

    def finish(self) -> None:
        """The log of this attempt is over."""


class RawSink:
    """Passes a log on as it is: into a pipe or a file."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, piece: bytes) -> None:
        """Take the next piece."""
        self._stream.write(piece)
        self._stream.flush()

    def finish(self) -> None:
        """Nothing is held back."""


class TerminalSink:
    """Shows a log on a terminal, without escape sequences but colours."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._cleaner = stream, LogCleaner()

    def write(self, piece: bytes) -> None:
        """Take the next piece."""
        self._stream.write(self._cleaner.feed(piece))
        self._stream.flush()

    def finish(self) -> None:
        """Show what was held back and end any colour."""
        self._stream.write(self._cleaner.finish())
        self._stream.flush()
        self._cleaner = LogCleaner()


def sink_for(stream: TextIO) -> Sink:
    """Return what suits this stream."""
    return TerminalSink(stream) if stream.isatty() else RawSink(stream.buffer)


def copy_from(path: Path, root: Path, offset: int, sink: Sink) -> int | None:
    """Hand on what of the file lies behind the offset; returns the new offset.

    None: there is no such file yet.

    Raises:
        StorageError: the file cannot be read.
    """
    try:
        if not is_listed(path, root):
            return None
        opened = open_file(root, path, any_owner=True)
        if isinstance(opened, Absent):
            return None
        if isinstance(opened, Unreadable):
            raise _unreadable(path, opened.why)
        if isinstance(opened, Refused):
            raise StorageError(f"cannot show {path}", why=f"it {opened.why}")
        with os.fdopen(opened, "rb", buffering=0) as file:
            file.seek(offset)
            while piece := file.read(PIECE_BYTES):
                sink.write(piece)
                offset += len(piece)
    except FileNotFoundError:
        return None
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from None
    return offset


def _unreadable(path: Path, why: str) -> StorageError:
    fix = "is the results root mounted here? See: mlq config"
    return StorageError(f"cannot read {path}", why=why, fix=fix)


def is_listed(path: Path, root: Path) -> bool:
    """Whether the file exists, going by the listings of its folders from the root down."""
    if path == root:
        return True
    return is_listed(path.parent, root) and any(
        one.name == path.name for one in path.parent.iterdir()
    )


def follow(
    queue: Queue,
    job_id: str,
    attempt: int,
    sink: Sink,
    tell: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
) -> JobView:
    """Hand on a job's log as it grows, from attempt to attempt, until the job has ended.

    Args:
        queue: the queue.
        job_id: the job.
        attempt: where to begin; 0 waits for the first.
        sink: takes the log.
        tell: takes remarks about the job itself.
        sleep: waits so many seconds.
    """
    offset, told = 0, ""
    while True:
        # First the state, then the file: what a job wrote before it ended is then in the file.
        (job,) = queue.views([job_id])
        if attempt:
            path = queue.layout.log_file(job_id, attempt)
            offset = copy_from(path, queue.layout.root, offset, sink) or offset
        if job.attempt > attempt:
            if attempt:
                sink.finish()
            attempt, offset = attempt + 1, 0
            if attempt > 1 or told:
                told = f"attempt {attempt}" + (f" on {job.machine}" if job.machine else "")
                tell(f"{job_id}: {told}")
            continue
        if job.state in ENDED:
            sink.finish()
            return job
        if job.state != State.STARTED and told != (remark := _waiting(job)):
            tell(remark)
            told = remark
        sleep(POLL_S)


def _waiting(job: JobView) -> str:
    if job.attempt:
        why = f": {job.reason}" if job.reason else ""
        return f"{job.id}: attempt {job.attempt} ended{why}; the job is {job.state} again"
    return f"{job.id} is {job.state}; its log begins when it starts (why it waits: mlq explain)"


def show_once(queue: Queue, job: JobView, attempt: int, sink: Sink) -> bool:
    """Hand on the log of an attempt as far as it goes; False if there is none yet."""
    path = queue.layout.log_file(job.id, attempt)
    found = copy_from(path, queue.layout.root, 0, sink)
    sink.finish()
    return found is not None


def out_sink() -> Sink:
    """Return the sink for standard output."""
    return sink_for(sys.stdout)
