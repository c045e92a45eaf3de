"""A name that the kernel keeps for one living process, and that no cleaner can delete.

Cleaners of /tmp delete lock files, pid files and sockets; the next process then makes and locks a
new file of the same name. A unix socket in Linux's abstract namespace is not a file: it exists
exactly as long as its process. All processes of one network namespace see it. So it decides which
process is the only one of its kind, and tells other processes which one that is.

Any user of the machine can take any such name. So a name that another user holds decides nothing;
then only the lock file does.
"""

from __future__ import annotations

import errno
import hashlib
import os
import socket
import struct
import sys
import time
from contextlib import suppress
from typing import NamedTuple

PATIENCE_S = 1.0
_RETRY_S = 0.02
_WAITING = 128  # clients that only ask who the owner is; `let_go` disconnects them


class Owner(NamedTuple):
    """The process that owns a name; `pid` is 0 if it is invisible here (in a container)."""

    pid: int


def kernel_name(role: str, where: str) -> str:
    """Return the name of this user's `role` at `where`, a folder or anything else that is unique.

    It is the same for all processes of the user, even if the folder was deleted or replaced.
    """
    text = "\0".join((str(os.getuid()), role, where))
    return f"mlq/{role}/{hashlib.blake2s(text.encode(), digest_size=16).hexdigest()}"


class KernelName:
    """A name that this process holds until `close`; without a socket it decides nothing."""

    def __init__(self, listener: socket.socket | None) -> None:
        self.listener = listener

    def say_who(self) -> None:
        """Make the name identify this process, after a fork."""
        if self.listener is not None:
            self.listener.listen(_WAITING)

    def let_go(self) -> None:
        """Disconnect all clients that connected to learn who the owner is."""
        if self.listener is not None:
            with suppress(BlockingIOError):
                while True:
                    self.listener.accept()[0].close()

    def close(self) -> None:
        """Give the name up."""
        if self.listener is not None:
            self.listener.close()


def hold(name: str, patience_s: float = PATIENCE_S) -> KernelName | None:
    """Take a name; None if another process of this user has it.

    Args:
        name: see `kernel_name`.
        patience_s: how long to try; the kernel may not have closed the sockets of a process that
            was just killed.
    """
    if sys.platform != "linux":
        return KernelName(None)
    until_s = time.monotonic() + patience_s
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    listener.setblocking(False)
    while True:
        try:
            listener.bind("\0" + name)
        except OSError as error:
            if error.errno == errno.EADDRINUSE and time.monotonic() < until_s:
                time.sleep(_RETRY_S)
                continue
            listener.close()
            taken = error.errno == errno.EADDRINUSE and owner(name) is not None
            return None if taken else KernelName(None)
        listener.listen(_WAITING)
        return KernelName(listener)


def owner(name: str) -> Owner | None:
    """Return the process of this user that holds a name; None if there is none."""
    connection = connect(name)
    if connection is None:
        return None
    with connection:
        return Owner(_peer(connection)[0])


def connect(name: str) -> socket.socket | None:
    """Return a connection to the process of this user that holds a name; None if there is none."""
    if sys.platform != "linux":
        return None
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        connection.settimeout(PATIENCE_S)
        connection.connect("\0" + name)
        if _peer(connection)[1] == os.getuid():
            return connection
    except OSError:
        pass  # there is no owner, or its backlog is full; then its lock file shows that it lives
    connection.close()
    return None


def _peer(connection: socket.socket) -> tuple[int, int]:
    size = struct.calcsize("3i")
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    pid, uid, _gid = struct.unpack("3i", credentials)
    return pid, uid
