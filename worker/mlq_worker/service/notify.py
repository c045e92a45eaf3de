"""How a daemon says that it is ready, and how the process that started it listens.

The protocol is systemd's sd_notify(3): datagrams of `KEY=value` lines to the unix socket that
$NOTIFY_SOCKET names. systemd listens for `mlq-worker.service`; `mlq worker start` listens with
`Listener`. Telling must never slow or stop the daemon: a listener that has gone is no error.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from mlq.files.paths import check_socket_path

_DATAGRAM_BYTES = 16384


class Notifier:
    """The daemon's side.

    Args:
        address: the listener's socket, `@name` for an abstract one; "" if no process listens.
        status_file: keeps the last status for `mlq worker status`.
    """

    def __init__(self, address: str, status_file: Path) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._status_file = status_file
        self._status = ""

    @classmethod
    def taken_from(cls, environ: MutableMapping[str, str], status_file: Path) -> Notifier:
        """Take the listener's address out of `environ`, so that no child answers for us."""
        return cls(environ.pop("NOTIFY_SOCKET", ""), status_file)

    def ready(self, status: str = "") -> None:
        """Report that the daemon serves, with its status in one line."""
        self.status(status)
        self._send("READY=1")

    def status(self, status: str) -> None:
        """Report the daemon's status in one line, unless it is the same as last time."""
        line = "; ".join(part.strip() for part in status.splitlines() if part.strip())
        if line == self._status:
            return
        self._status = line
        self._send(f"STATUS={line}")
        self._keep_status()

    def renew(self, _now_s: float) -> None:
        """Make the file of the last status anew if a cleaner took it."""
        if self._status and not self._status_file.exists():
            self._keep_status()

    def _keep_status(self) -> None:
        # A runtime folder that was cleaned away takes the status with it, not the daemon.
        with contextlib.suppress(OSError):
            self._status_file.write_text(self._status + "\n", encoding="utf-8")

    def stopping(self) -> None:
        """Report that the daemon is stopping."""
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        # The listener may have gone, or be too slow to read: neither is the daemon's concern.
        with socket.socket(socket.AF_UNIX, kind) as sender, contextlib.suppress(OSError):
            sender.sendto(message.encode(), self._address)


@dataclass(frozen=True, slots=True)
class Heard:
    """What a `Listener` heard until the daemon was ready, had died, or the time was up."""

    ready: bool
    died: bool
    status: str


class Listener:
    """The side of the process that starts a daemon: a socket to be named in its $NOTIFY_SOCKET.

    Args:
        path: where the socket is to be, in a folder that only we can enter.

    Raises:
        SettingsError: the path is too long for a unix socket.
    """

    def __init__(self, path: Path) -> None:
        check_socket_path(path)
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)

    def __enter__(self) -> Self:
        self.path.unlink(missing_ok=True)
        self._socket.bind(str(self.path))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()
        self.path.unlink(missing_ok=True)

    def wait(self, pidfd: int, deadline_s: float) -> Heard:
        """Listen until the daemon is ready, has died, or `deadline_s` have passed.

        Args:
            pidfd: of the daemon; readable once it has ended.
            deadline_s: the longest to wait.
        """
        until = time.monotonic() + deadline_s
        status = ""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        poll.register(pidfd, select.POLLIN)
        while (left_s := until - time.monotonic()) > 0:
            readable = {fd for fd, _ in poll.poll(left_s * 1000)}
            # What it said before it died comes first.
            if self._socket.fileno() in readable:
                fields = _fields(self._socket.recv(_DATAGRAM_BYTES))
                status = fields.get("STATUS", status)
                if fields.get("READY") == "1":
                    return Heard(ready=True, died=False, status=status)
            elif pidfd in readable:
                return Heard(ready=False, died=True, status=status)
        return Heard(ready=False, died=False, status=status)


def _fields(datagram: bytes) -> dict[str, str]:
    lines = datagram.decode(errors="replace").splitlines()
    return {key: value for key, found, value in (line.partition("=") for line in lines) if found}
