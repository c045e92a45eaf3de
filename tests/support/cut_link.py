"""A machine's way to the queue, which can be cut while the queue and its other users go on."""

from __future__ import annotations

import select
import socket
import threading
from contextlib import suppress
from pathlib import Path


class Link:
    """A machine's way to the queue: a proxy on a unix socket that can be cut."""

    def __init__(self, path: Path, upstream: Path) -> None:
        self.path, self._upstream = path, upstream
        self._ends: list[socket.socket] = []
        self._up = True
        self._lock = threading.Lock()
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Break every connection, and each new one too."""
        with self._lock:
            self._up = False
            self._hang_up()

    def mend(self) -> None:
        """Let connections through again."""
        with self._lock:
            self._up = True

    def close(self) -> None:
        """End it."""
        with self._lock:
            self._hang_up(self._server)

    def _hang_up(self, *others: socket.socket) -> None:
        for one in (*others, *self._ends):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._ends = []

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._server.accept()
                with self._lock:
                    if not self._up:
                        near.close()
                        continue
                    far = socket.socket(socket.AF_UNIX)
                    far.connect(str(self._upstream))
                    self._ends += [near, far]
                threading.Thread(target=_carry, args=(near, far), daemon=True).start()
        self._server.close()


def _carry(near: socket.socket, far: socket.socket) -> None:
    other = {near: far, far: near}
    with near, far, suppress(OSError):
        while True:
            for one in select.select([near, far], [], [])[0]:
                data = one.recv(65536)
                if not data:
                    return
                other[one].sendall(data)
