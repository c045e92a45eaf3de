"""Keeps a supervisor the only one of its machine, and findable even if cleaners delete its files.

A second supervisor would kill what the first one runs, because it would take that for what a dead
one left. So it must not start while the first one lives, even with another runtime folder or after
the first one's files there are gone. Three things show that the first one lives: the lock file, the
kernel's name for the marks of this machine's attempts (`mlq.files.kernel_names`), and, where
neither works (another network namespace), the process table in which it would look for what to
kill.

A worker connects through the socket in the runtime folder, or by the kernel's name for the door.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

from mlq.files.kernel_names import KernelName, hold, kernel_name
from mlq.files.locks import identity_of
from mlq.files.residence import Residence
from mlq_worker.ipc import procfs
from mlq_worker.ipc.options import Options

ALREADY_RUNNING = 75  # EX_TEMPFAIL: what a second supervisor leaves with; try to connect again
SOCKET_NAME, LOG_NAME = "supervisor.sock", "supervisor.log"
_MODULE = b"mlq_worker.supervisor"
_BACKLOG = 5


def door_name(mark_prefix: str) -> str:
    """Return the kernel's name for the door of the supervisor that holds these marks."""
    return kernel_name("door", mark_prefix)


class SupervisorResidence:
    """The place of a supervisor.

    Args:
        options: of the supervisor.
        say: is told what was lost and made anew.
    """

    def __init__(self, options: Options, say: Callable[[str], None]) -> None:
        self._options, self._say = options, say
        name = kernel_name("supervisor", options.mark_prefix)
        young = (SOCKET_NAME, LOG_NAME, "mlq-keeper")
        self._residence = Residence(options.runtime, "supervisor", name, young=young, say=say)
        self._path = options.runtime / SOCKET_NAME
        self._door: KernelName | None = None
        self._listener: socket.socket | None = None
        self._bound: tuple[int, int] | None = None

    def take(self) -> str:
        """Become the only supervisor; return why this process cannot, "" if it is."""
        if not self._residence.take():
            return "another supervisor of this machine lives"
        other = living_supervisor(self._options.mark_prefix)
        if other is not None:
            self._residence.leave()
            return f"another supervisor of this machine lives: process {other}"
        return ""

    def settle(self) -> None:
        """Publish that this process, which stays, is the supervisor."""
        self._residence.settle()

    def listen(self) -> list[socket.socket]:
        """Open the door; return the sockets to listen on."""
        self._listener = self._bind()
        self._door = hold(door_name(self._options.mark_prefix))
        by_name = self._door.listener if self._door is not None else None
        return [self._listener] if by_name is None else [self._listener, by_name]

    def renew(self, now_s: float) -> None:
        """Make anew what is lost; see `Residence.renew`."""
        self._residence.renew(now_s)
        if self._listener is not None and identity_of(self._path) != self._bound:
            self._say(f"{self._path} was removed; made anew")
            # It replaces the old one under the same descriptor: what waits on it notices nothing.
            with self._bind() as fresh:
                os.dup2(fresh.fileno(), self._listener.fileno(), inheritable=False)

    def leave(self) -> None:
        """Give everything up."""
        if self._bound is not None and identity_of(self._path) == self._bound:
            self._path.unlink(missing_ok=True)
        self._residence.leave()

    def _bind(self) -> socket.socket:
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        listener.bind(str(self._path))
        listener.listen(_BACKLOG)
        listener.setblocking(False)
        self._bound = identity_of(self._path)
        return listener


def living_supervisor(mark_prefix: str) -> int | None:
    """Return the process of another supervisor of these marks that has settled; None if none.

    One that only starts leads its session; it leaves that when it goes into the background.
    """
    for process in procfs.look().values():
        if process.pid in (os.getpid(), process.session):
            continue
        words = _command_of(process.pid)
        if _MODULE in words and f"--mark-prefix={mark_prefix}".encode() in words:
            return process.pid
    return None


def _command_of(pid: int) -> list[bytes]:
    try:
        if Path(f"/proc/{pid}").stat().st_uid != os.getuid():
            return []
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []
