"""JSON messages, one a line, over a stream socket that never blocks.

The supervisor uses one for the worker and one for the launcher. What the other side has not read
yet waits here, so that a stuck reader never blocks the sender.
"""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Mapping
from typing import Any

from mlq_worker.ipc.host import Poll

_CHUNK_BYTES = 1 << 18

Message = dict[str, Any]


class Channel:
    """One end of a connection that carries JSON objects.

    Args:
        connection: a connected stream socket; it is made non-blocking and is closed by `close`.
    """

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._socket = connection
        self._unsent = bytearray()
        self._partial = b""
        self.closed = False

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._socket.fileno()

    @property
    def unsent_bytes(self) -> int:
        """How many bytes wait for the other side to read; see `watch` and `flush`."""
        return len(self._unsent)

    def watch(self, poll: Poll) -> None:
        """Register the events that the next wait must notice."""
        poll.register(self, select.POLLIN | (select.POLLOUT if self._unsent else 0))

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message, or as much of it as the socket takes now."""
        self._unsent += json.dumps(message, separators=(",", ":")).encode("ascii") + b"\n"
        self.flush()

    def flush(self) -> None:
        """Send what is still waiting, as far as the socket takes it."""
        try:
            while self._unsent and not self.closed:
                del self._unsent[: self._socket.send(self._unsent)]
        except BlockingIOError:
            return
        except OSError:
            self.closed = True  # what was received before is still read; then `closed` tells

    def receive(self) -> list[Message]:
        """Return the messages completed since the last call; set `closed` at the end of the stream.

        Raises:
            ValueError: a line is no JSON object: the other side does not speak this protocol.
        """
        chunks = [self._partial]
        try:
            while chunk := self._socket.recv(_CHUNK_BYTES):
                chunks.append(chunk)
                if len(chunk) < _CHUNK_BYTES:
                    break
            else:
                self.closed = True
        except BlockingIOError:
            if len(chunks) == 1:
                return []
        except OSError:
            self.closed = True
        *lines, self._partial = b"".join(chunks).split(b"\n")
        messages = [json.loads(line) for line in lines]
        if not all(isinstance(message, dict) for message in messages):
            raise ValueError("a message is not a JSON object")
        return messages

    def close(self) -> None:
        """Close the connection."""
        self.closed = True
        self._socket.close()
