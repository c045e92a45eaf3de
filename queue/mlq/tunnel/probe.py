"""Asks a server for a sign of life through a socket, without the right to be there.

A server that wants a password first says so at once, and that is an answer too.
"""

from __future__ import annotations

import socket
from enum import Enum
from pathlib import Path


class Answer(Enum):
    """What came back."""

    YES = "the server answered"
    CLOSED = "the connection was closed: the way is fine, but no server is at its end"
    NONE = "no process listens at the socket"
    SILENCE = "nothing came back in time: the way is broken"


def ask(path: Path, timeout_s: float) -> Answer:
    """Ask the server behind a socket for a sign of life; takes up to `timeout_s`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(timeout_s)
        try:
            probe.connect(str(path))
        except OSError:
            return Answer.NONE
        try:
            probe.sendall(b"PING\r\n")
            return Answer.YES if probe.recv(64) else Answer.CLOSED
        except TimeoutError:
            return Answer.SILENCE
        except OSError:
            return Answer.CLOSED
