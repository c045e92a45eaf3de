"""Where the worker connects: one connection at a time, and only from the same user."""

from __future__ import annotations

import os
import select
import socket
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress

from mlq_worker.ipc.channel import Channel, Message
from mlq_worker.ipc.host import Poll
from mlq_worker.ipc.messages import Greeting, SupervisorMessage

_UNREAD_BYTES = 64 << 20  # a worker that leaves so much unread is given up


class WorkerListener:
    """The listening sockets and the worker behind them; a new worker replaces the old one.

    Args:
        listeners: non-blocking listening unix sockets.
        poll: what the owner waits with; kept up to date here.
        note: writes a line into the log.

    Attributes:
        worker_pids: the process of the worker that is connected.
    """

    def __init__(
        self, listeners: Sequence[socket.socket], poll: Poll, note: Callable[[str], object]
    ) -> None:
        self._listeners = listeners
        self._poll, self._note = poll, note
        self._worker: Channel | None = None
        self._greeted = False
        self.worker_pids: tuple[int, ...] = ()
        for listener in listeners:
            poll.register(listener, select.POLLIN)

    @property
    def occupied(self) -> bool:
        """Whether a worker is connected."""
        return self._worker is not None

    def watch(self) -> None:
        """Prepare the next wait."""
        if self._worker is not None:
            self._worker.watch(self._poll)

    def tell(self, event: SupervisorMessage) -> None:
        """Send an event to a worker that has been greeted; without one the event is dropped."""
        if self._worker is not None and self._greeted:
            self._worker.send(event.to_json())

    def greet(self, greeting: Greeting) -> None:
        """Answer the worker's hello; from here on it is told of events."""
        self._greeted = True
        self.tell(greeting)

    def messages(self) -> list[Message]:
        """Return what the worker has sent."""
        worker = self._worker
        if worker is None:
            return []
        worker.flush()
        try:
            return worker.receive()
        except ValueError as error:
            self.refuse(error)
            return []

    def refuse(self, error: Exception) -> None:
        """Give up a worker that does not speak the protocol."""
        self._note(f"the worker sent what cannot be understood: {error!r}")
        self.close()

    def change(self) -> None:
        """Drop a worker that left, and let in one that waits."""
        worker = self._worker
        if worker is not None and (worker.closed or worker.unsent_bytes > _UNREAD_BYTES):
            self.close()
        for listener in self._listeners:
            with suppress(BlockingIOError):
                self._let_in(listener.accept()[0])

    def _let_in(self, connection: socket.socket) -> None:
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        pid, uid, _gid = struct.unpack("3i", credentials)
        if uid not in (os.getuid(), 0):
            connection.close()
            return
        self.close()
        self._worker, self.worker_pids = Channel(connection), (pid,)

    def close(self) -> None:
        """Close the connection, after sending what the socket still takes."""
        if self._worker is not None:
            self._poll.unregister(self._worker)
            self._worker.flush()
            self._worker.close()
        self._worker, self._greeted, self.worker_pids = None, False, ()
