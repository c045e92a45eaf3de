"""A running server whose lock, pid file or socket was deleted, by cleaners of /tmp for example.

Without the lock file a second server would write into the same data. So what decides in the end is
whether a server lives in the data folder: it is its working directory. A socket cannot be given
back to a server that runs; it is stopped in order and started again, which loses nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mlq.errors import QueueUnreachableError
from mlq.files.locks import try_lock
from mlq.server.files import ServerFiles
from mlq.settings.settings import Settings

_APPEARS_S = 1.0
_POLL_S = 0.02


def explained(error: QueueUnreachableError, settings: Settings) -> QueueUnreachableError:
    """Return why the queue of this machine does not answer: the error, or what is behind it."""
    files = ServerFiles(settings.server_dir)
    try:
        if settings.redis_socket.exists() or not files.is_running():
            return error
    except OSError:
        return error
    return QueueUnreachableError(
        f"no queue answers at {settings.redis_socket}",
        why=f"the queue's server runs (process {files.pid()}), but its socket was removed, perhaps "
        "by a cleaner",
        fix="`mlq server start` starts it again in order; nothing is lost",
    )


def has_lost_socket(socket: Path, is_running: Callable[[], bool]) -> bool:
    """Return whether a server runs without its socket; one that only starts has it in a moment."""
    until_s = time.monotonic() + _APPEARS_S
    while is_running():
        if socket.exists():
            return False
        if time.monotonic() >= until_s:
            return True
        time.sleep(_POLL_S)
    return False


@contextmanager
def kept(folder: Path) -> Iterator[list[int]]:
    """Lock the socket's folder for the server, which inherits it: systemd-tmpfiles passes it by."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try_lock(descriptor, shared=True)  # not possible while a cleaner is at it
        yield [descriptor]
    finally:
        os.close(descriptor)
