"""Looks after the socket of the queue's server, where both live on one machine.

The server itself does not notice that a cleaner deleted its socket: connected clients stay
connected, but no other gets in, the other machines' tunnels included. Redis cannot listen again at
a socket, so the server is restarted in order: its data is on disk, and workers connect again. This
module only decides that the socket is lost; `mlq.server.control.start` does the rest, in a process
of its own, since a worker may be killed at any moment.

Invariant: a server that a user stops or starts is left alone. Only a server that has lost its
socket still answers on a connection from before.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from mlq.errors import MlqError
from mlq.files.residence import YOUNG_S
from mlq.server.files import ServerFiles
from mlq.server.status import connect
from mlq.settings.settings import Settings
from mlq.store.client import Client

log = logging.getLogger(__name__)

_MISSING_S = 2.0
_AGAIN_S = 60.0


class ServerWatch:
    """A task of the caretaker: called each second.

    Args:
        settings: of this installation.
        mend: starts the server again; returns at once.
    """

    def __init__(self, settings: Settings, mend: Callable[[], None]) -> None:
        self._settings, self._mend = settings, mend
        self._socket = settings.redis_socket
        self._client: Client | None = None
        self._missing_since_s: float | None = None
        self._mended_s = float("-inf")
        self._touched_s = float("-inf")

    def look(self, now_s: float) -> None:
        """Look once; `now_s` is a clock that only counts."""
        if self._socket.exists():
            self._missing_since_s = None
            self._keep(now_s)
            return
        if self._client is None:
            return
        if self._missing_since_s is None:
            self._missing_since_s = now_s
        if now_s - self._missing_since_s < _MISSING_S or now_s - self._mended_s < _AGAIN_S:
            return
        if self._answers() and ServerFiles(self._settings.server_dir).is_running():
            self._mended_s = now_s
            log.warning("%s was removed; the queue's server is started again", self._socket)
            self._mend()

    def _keep(self, now_s: float) -> None:
        if now_s - self._touched_s < YOUNG_S and self._client is not None:
            return
        self._touched_s = now_s
        with suppress(OSError):
            os.utime(self._socket)  # cleaners that go by age leave it
        if self._client is None or not self._answers():
            with suppress(MlqError, OSError):
                self._client = connect(self._settings)

    def _answers(self) -> bool:
        try:
            if self._client is not None:
                self._client.call("PING")
                return True
        except MlqError:
            self._client = None
        return False


def server_watch(settings: Settings) -> list[Callable[[float], None]]:
    """Return the task, if the queue's server is one of this machine."""
    if settings.is_remote or not settings.server_dir.is_dir():
        return []
    watch = ServerWatch(settings, _start_again)
    watch.look(time.monotonic())  # at once: from now on it is known if the socket is lost
    return [watch.look]


def _start_again() -> None:
    # Neither the worker's death nor its terminal's ends it.
    subprocess.Popen(
        [sys.executable, "-c", "from mlq.server.again import main; main()"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=Path("/"),
        start_new_session=True,
    )
