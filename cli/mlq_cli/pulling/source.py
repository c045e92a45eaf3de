"""Where pulled files come from: the results root if it is mounted here, else the queue's host."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from mlq.errors import StorageError
from mlq.files.strict_files import Missing
from mlq.settings.settings import Settings
from mlq_cli.remote import far_tree
from mlq_cli.remote.far_tree import Found, Sending, Want


class Source(Protocol):
    """The files of jobs below the results root."""

    is_far: bool
    """Whether one connection carries everything, in order."""

    def list_all(self, places: Sequence[str], found: Found) -> None:
        """List the files of jobs; see `mlq_cli.remote.far_tree.list_all`."""

    def send_all(self, wants: Iterable[Want]) -> Iterator[Sending | Missing]:
        """Yield each file, in order; the pieces of one must be read before the next is asked for.

        Raises:
            StorageError: of one file, while its pieces are read.
            TunnelError: the connection broke.
        """

    def close(self) -> None:
        """End the connection, if there is one."""


class SourceHere:
    """The results root of this machine; several threads may use it at once.

    Args:
        root: its folder.
    """

    is_far = False

    def __init__(self, root: Path) -> None:
        self._root = str(root)

    def list_all(self, places: Sequence[str], found: Found) -> None:
        """List the files of jobs.

        Raises:
            StorageError: the root is not there.
        """
        try:
            far_tree.list_all(self._root, places, found)
        except OSError as error:
            raise StorageError(
                f"cannot read {error.filename or self._root}",
                why=error.strerror or str(error),
                fix="is the results root mounted here? See: mlq config",
            ) from None

    def send_all(self, wants: Iterable[Want]) -> Iterator[Sending | Missing]:
        """Yield each file, in order."""
        for sending in far_tree.send_all(self._root, wants):
            if isinstance(sending, Sending):
                yield sending._replace(pieces=_checked(sending.pieces))
            else:
                yield sending

    def close(self) -> None:
        """Do nothing: there is no connection."""


def source_of(settings: Settings) -> Source:
    """Return where the files of jobs are read."""
    if not settings.is_remote or (settings.root / "queue.json").is_file():
        return SourceHere(settings.root)
    from mlq_cli.remote.far_jobs import FarJobs
    from mlq_cli.remote.far_shell import open_far_shell

    return FarJobs(settings.root, settings.queue_host, partial(open_far_shell, settings))


def _checked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the pieces; an error of reading must not be taken for one of writing."""
    try:
        yield from pieces
    except OSError as error:
        raise StorageError("it cannot be read", why=error.strerror or str(error)) from None
