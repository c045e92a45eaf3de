"""Finds the results root for commands: here if it is mounted, else through the queue's host.

A laptop that does not mount the root reaches the queue's host by ssh; that host has the root.

A job that says `echo x > /dev/stderr` empties its own log: standard error is that file, and the
shell opens it again and truncates it. A reader that goes on at the old offset shows nothing, or the
middle of a line. So each read also reads the last bytes that were shown, and compares them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from mlq.files.metrics_files import ALL, Bounds
from mlq.files.strict_files import Missing
from mlq.settings.settings import Settings

if TYPE_CHECKING:
    from mlq.api.queue import Queue
    from mlq.code.keeping import Elsewhere
    from mlq_cli.remote.far_reader import Log


class RootFiles(Protocol):
    """The files below the results root, whether that is mounted here or not."""

    def open_log(self, path: Path, offset: int, rows: int | None = None) -> Log | Missing:
        """Open a log; see `mlq_cli.remote.far_reader.open_log`."""

    def search_log(self, path: Path, offset: int, pattern: str, rows: int = 0) -> Log | Missing:
        """Look for rows in a log, from the offset (in bytes) on."""

    def metrics(
        self, folders: Sequence[str], bounds: Bounds = ALL
    ) -> Iterator[list[tuple[int, bytes]]]:
        """Yield for each job's folder the metrics files of its attempts: attempt and content."""

    def close(self) -> None:
        """Close any connection; the next read opens another one."""


class FilesHere:
    """The results root of this machine.

    Args:
        root: its folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = str(root)

    def open_log(self, path: Path, offset: int, rows: int | None = None) -> Log | Missing:
        """Open a log; see `mlq_cli.remote.far_reader.open_log`."""
        from mlq_cli.remote.far_reader import open_log

        return open_log(self._root, str(path), offset, rows)

    def search_log(self, path: Path, offset: int, pattern: str, rows: int = 0) -> Log | Missing:
        """Look for rows in a log, from the offset (in bytes) on."""
        from mlq_cli.remote.far_reader import search_log

        return search_log(self._root, str(path), offset, pattern, rows)

    def metrics(
        self, folders: Sequence[str], bounds: Bounds = ALL
    ) -> Iterator[list[tuple[int, bytes]]]:
        """Yield for each job's folder the metrics files of its attempts: attempt and content."""
        from mlq_cli.remote.far_reader import metrics

        return metrics(self._root, folders, bounds)

    def close(self) -> None:
        """Do nothing: there is no connection."""


def root_files(settings: Settings) -> RootFiles:
    """Return the results root, from here or through the queue's host."""
    if not settings.is_remote or (settings.root / "queue.json").is_file():
        return FilesHere(settings.root)
    from mlq_cli.remote.far_files import FarFiles
    from mlq_cli.remote.far_shell import open_far_shell

    return FarFiles(settings.root, settings.queue_host, partial(open_far_shell, settings))


_TAIL_BYTES = 64

EMPTIED = (
    "its log was emptied; what was in it is only above"
    " (the job's `> /dev/stderr` does that, `>&2` does not)"
)


class Mark:
    """A position in a log, and the last bytes before it.

    Args:
        offset: where it begins.
    """

    def __init__(self, offset: int = 0) -> None:
        self.offset = offset
        self._tail = b""

    @property
    def look_from(self) -> int:
        """The offset from which to read."""
        return self.offset - len(self._tail)

    def add(self, piece: bytes) -> None:
        """Move behind the next piece."""
        self.offset += len(piece)
        self._tail = (self._tail + piece[-_TAIL_BYTES:])[-_TAIL_BYTES:]

    def new_part(self, pieces: Iterator[bytes]) -> bytes | None:
        """Return the first bytes behind the mark; None if the log was replaced or emptied.

        Args:
            pieces: of the log from `look_from` on; an empty one, or none, is its end.
        """
        start = b""
        while len(start) < len(self._tail) and (piece := next(pieces, b"")):
            start += piece
        return start[len(self._tail) :] if start.startswith(self._tail) else None


def give_root(queue: Queue) -> None:
    """Give a queue the way to the results root through its host, so that it can put code there."""
    settings = queue.settings
    if not settings.is_remote:
        return

    def elsewhere() -> Elsewhere:
        from mlq.store import identity
        from mlq_cli.remote.far_shelf import FarShelf
        from mlq_cli.remote.far_shell import open_far_shell

        shell = partial(open_far_shell, settings)
        asked = partial(identity.queue_and_root, queue.store.client)
        return FarShelf(settings.root, settings.queue_host, shell, asked)

    queue.elsewhere = elsewhere
