"""Where a command reads the logs of jobs: in the results root if it is here, else over ssh.

A laptop that does not mount the root reaches the queue's host by ssh; that host has the root.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Protocol

from mlq.files.strict_files import Missing
from mlq.settings.settings import Settings
from mlq_cli.remote.far_reader import Log, open_log


class RootFiles(Protocol):
    """What lies below the results root, wherever that is."""

    def open_log(self, path: Path, offset: int) -> Log | Missing:
        """Look at a log; what lies before the offset is not wanted again."""

    def close(self) -> None:
        """Let go of any connection; the next look makes another one."""


class FilesHere:
    """The results root of this machine.

    Args:
        root: its folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = str(root)

    def open_log(self, path: Path, offset: int) -> Log | Missing:
        """Look at a log; what lies before the offset is not wanted again."""
        return open_log(self._root, str(path), offset)

    def close(self) -> None:
        """Do nothing: there is nothing to let go of."""


def root_files(settings: Settings) -> RootFiles:
    """Return the results root, from here or through the queue's host."""
    if not settings.is_remote or (settings.root / "queue.json").is_file():
        return FilesHere(settings.root)
    from mlq_cli.remote.far_files import FarFiles
    from mlq_cli.remote.far_shell import open_far_shell

    return FarFiles(settings.root, settings.queue_host, partial(open_far_shell, settings))
