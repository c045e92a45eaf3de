"""A network for one test alone: a namespace with a loopback interface that can lose packets.

The test's thread moves into it, and with it whatever the test starts from then on, processes and
threads. Nothing outside can be reached, and no rule made here touches the machine's own network.
Unix sockets have paths and so lead out of it as before.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from ci import require
from firewall import PASS_ALL, drop_port

_CLONE_NEWNET = 0x40000000  # <sched.h>
_PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"
_libc = ctypes.CDLL(None, use_errno=True)


class OwnNetwork:
    """The network the test is in."""

    def __init__(self) -> None:
        self._address, self._moves = "", 0

    def drop_port(self, port: int) -> None:
        """Swallow all packets from and to a TCP port from now on."""
        _run("nft", drop_port(port))

    def pass_all(self) -> None:
        """Swallow nothing any more."""
        _run("nft", PASS_ALL)

    def move(self) -> None:
        """Let connections come from another address, as a VPN does; the one before is gone."""
        before, self._address = self._address, f"10.88.1.{self._moves + 1}"
        self._moves += 1
        _run("ip", "address", "add", f"{self._address}/32", "dev", "lo")
        local = ("table", "local", "local", "127.0.0.1", "dev", "lo")
        _run("ip", "route", "replace", *local, "src", self._address)
        if before:
            _run("ip", "address", "delete", f"{before}/32", "dev", "lo")


def _run(*argv: str) -> None:
    done = subprocess.run(
        argv, capture_output=True, text=True, check=False, env={**os.environ, "PATH": _PATH}
    )
    assert done.returncode == 0, f"{argv} failed: {done.stderr}"


def _enter(call: str, *words: int) -> None:
    if getattr(_libc, call)(*words) != 0:
        raise OSError(ctypes.get_errno(), call)


@contextmanager
def new_own_network() -> Iterator[OwnNetwork]:
    """Move this thread into a new network, and back again; skip where that cannot be."""
    require(os.geteuid() == 0, "a network of its own needs root")
    for tool in ("ip", "nft"):
        require(shutil.which(tool, path=_PATH), f"a network of its own needs {tool}")
    # Python has os.unshare and os.setns from 3.12 on.
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _enter("unshare", _CLONE_NEWNET)
        try:
            _run("ip", "link", "set", "lo", "up")
            yield OwnNetwork()
        finally:
            _enter("setns", before, _CLONE_NEWNET)
    finally:
        os.close(before)
