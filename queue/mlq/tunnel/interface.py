"""What a tunnel is, whichever ssh carries it, and whether its far end gives a sign of life.

The check needs no password: a server that wants a password says so at once, and that is an answer,
too.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Protocol

from mlq.errors import TunnelError
from mlq.units import format_duration

_REMEMBERED_S = 600.0


@dataclass(frozen=True, slots=True)
class TunnelState:
    """The state of a tunnel; all times are those of `time.monotonic`.

    Args:
        up: whether it carries connections.
        since_s: since when it is up, or down.
        tried_s: when the last finished attempt began; 0 before the first.
        restarts: how often it came up again.
        outage_s: how long it was down before it came up the last time; 0 the first time.
        last_error: why it is, or last was, down.
    """

    up: bool
    since_s: float
    tried_s: float = 0.0
    restarts: int = 0
    outage_s: float = 0.0
    last_error: TunnelError | None = None

    def trouble(self, now_s: float) -> str:
        """Return what is wrong, or was a short while ago; "" if nothing."""
        held_s = now_s - self.since_s
        why = f": {self.last_error.why or self.last_error.what}" if self.last_error else ""
        if not self.up:
            return f"tunnel down {format_duration(held_s)}{why}"
        if self.outage_s and held_s < _REMEMBERED_S:
            was = format_duration(self.outage_s)
            return f"tunnel was down for {was}, {format_duration(held_s)} ago{why}"
        return ""


class Tunnel(Protocol):
    """A socket here that leads to the server's socket there; reconnects by itself."""

    @property
    def socket(self) -> Path:
        """Where to connect; exists while the tunnel is up."""

    @property
    def state(self) -> TunnelState:
        """The state now."""

    def start(self) -> None:
        """Begin to connect, in the background."""

    def stop(self) -> None:
        """Close it and all connections through it."""

    def nudge(self) -> None:
        """Connect without delay, for a user who waits; if it is up, make sure that it works."""

    def wait_up(self, timeout_s: float) -> None:
        """Wait until it is up.

        Raises:
            TunnelError: an attempt that began since then has failed, or the time is up.
        """


class Answer(Enum):
    """The outcome of a question to the far end."""

    YES = "the server answered"
    CLOSED = "the connection was closed: the way is fine, but no server is at its end"
    NONE = "no process listens at the socket"
    SILENCE = "nothing came back in time: the way is broken"


def ask(path: Path, timeout_s: float) -> Answer:
    """Ask the server behind a socket for a sign of life; wait up to `timeout_s` seconds."""
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
