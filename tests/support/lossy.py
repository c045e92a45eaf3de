"""A proxy on a unix socket that swallows one reply and cuts the connection.

The server has done what it was asked, and the client cannot know: redis-py sends it again.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry


class Lossy:
    """A redis client whose next reply can be lost.

    Args:
        direct: a client of the same server; its socket and credentials are used.
        folder: where the proxy's socket goes.
    """

    def __init__(self, direct: redis.Redis, folder: Path) -> None:
        known = dict(direct.connection_pool.connection_kwargs)
        self._upstream = str(known["path"])
        self.path = folder / "lossy.sock"
        self.dropped = 0
        self._armed = False
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(self.path))
        self._server.listen()
        self._ends: list[socket.socket] = []
        self.client = redis.Redis(
            unix_socket_path=str(self.path),
            username=known.get("username"),
            password=known.get("password"),
            retry=Retry(NoBackoff(), 3),
        )

    def __enter__(self) -> Lossy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        for one in (self._server, *self._ends):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def drop_next_reply(self) -> None:
        """Lose the reply to whatever is asked next."""
        self._armed = True

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._server.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(self._upstream)
                self._ends += [near, far]
                threading.Thread(target=self._forth, args=(near, far), daemon=True).start()
                threading.Thread(target=self._back, args=(near, far), daemon=True).start()

    def _forth(self, near: socket.socket, far: socket.socket) -> None:
        with suppress(OSError):
            while data := near.recv(65536):
                far.sendall(data)

    def _back(self, near: socket.socket, far: socket.socket) -> None:
        with suppress(OSError):
            while data := far.recv(65536):
                # What a new connection says first (AUTH, CLIENT SETINFO) is not what was asked.
                if self._armed and not data.startswith(b"+OK"):
                    self._armed = False
                    self.dropped += 1
                    near.shutdown(socket.SHUT_RDWR)
                    return
                near.sendall(data)
