"""Runs `mlq` in a fork of a Python that has loaded what is not ours.

Most of what a short command costs is the start of Python, and the import of the standard library
and of other people's packages; the tests type thousands of commands. So a Python that has done that
waits, and forks a process for each. Everything of mlq is imported in that process alone, from the
entry point of the installed script on, with arguments, environment, folder, umask and streams of
its own. What cannot be so (another user, variables that Python itself reads at its start) is for
the caller to run as it is installed; so are commands that get signals.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

_LOADED = (
    *("argparse", "asyncio", "base64", "csv", "dataclasses", "datetime", "difflib", "fcntl"),
    *("fractions", "getpass", "gzip", "hashlib", "hmac", "importlib.metadata", "inspect"),
    *("locale", "logging", "pathlib", "platform", "random", "re", "secrets", "shlex", "shutil"),
    *("ssl", "statistics", "tempfile", "textwrap", "threading", "tomllib", "uuid", "zoneinfo"),
    *("annotated_types", "pydantic", "pydantic.dataclasses", "redis"),
)


class Forked:
    """A process that was forked; like `subprocess.Popen`, as far as the tests need it."""

    def __init__(self, told: socket.socket) -> None:
        self._told = told
        self.pid = int(told.recv(20))

    def wait(self, timeout_s: float) -> int:
        """Return the exit code; raises TimeoutError if there is none in time."""
        self._told.settimeout(timeout_s)
        with self._told:
            return os.waitstatus_to_exitcode(int(self._told.recv(20)))

    def kill(self) -> None:
        """Send SIGKILL."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


def start(
    argv: Sequence[str | bytes | Path],
    environ: Mapping[str, str],
    folder: Path,
    streams: tuple[int, int, int],
) -> Forked:
    """Start `mlq`; `streams` are the descriptors of its standard streams."""
    status = Path("/proc/self/status").read_text()
    umask = next(line.split()[1] for line in status.splitlines() if line.startswith("Umask:"))
    request = {
        "argv": [os.fsdecode(one) for one in argv],
        "environ": dict(environ),
        "folder": str(folder),
        "umask": int(umask, 8),
    }
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs, os.fdopen(os.memfd_create("request"), "r+b") as file:
        file.write(json.dumps(request).encode())
        file.flush()
        sent = (file.fileno(), theirs.fileno(), *streams)
        socket.send_fds(_loaded(_namespaces()), [b"x"], sent)
    return Forked(ours)


def run(
    argv: Sequence[str | bytes | Path],
    environ: Mapping[str, str],
    folder: Path,
    timeout_s: float,
) -> subprocess.CompletedProcess[bytes]:
    """Run `mlq` without input, its output into pipes.

    Raises:
        subprocess.TimeoutExpired: it took longer; it was killed.
    """
    deadline_s = time.monotonic() + timeout_s
    pipes = [os.pipe(), os.pipe()]
    nothing = os.open(os.devnull, os.O_RDONLY)
    try:
        process = start(argv, environ, folder, (nothing, pipes[0][1], pipes[1][1]))
    finally:
        for one in (nothing, pipes[0][1], pipes[1][1]):
            os.close(one)
    try:
        out, err = _read_both(pipes[0][0], pipes[1][0], deadline_s)
        code = process.wait(max(0.01, deadline_s - time.monotonic()))
    except TimeoutError:
        process.kill()
        raise subprocess.TimeoutExpired([os.fsdecode(one) for one in argv], timeout_s) from None
    finally:
        for reading, _ in pipes:
            os.close(reading)
    return subprocess.CompletedProcess(argv, code, out, err)


def _read_both(out: int, err: int, deadline_s: float) -> tuple[bytes, bytes]:
    read: dict[int, list[bytes]] = {out: [], err: []}
    with selectors.DefaultSelector() as selector:
        for one in read:
            selector.register(one, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(max(0.0, deadline_s - time.monotonic()))
            if not ready:
                raise TimeoutError
            for key, _ in ready:
                piece = os.read(key.fd, 65536)
                read[key.fd].append(piece)
                if not piece:
                    selector.unregister(key.fd)
    return b"".join(read[out]), b"".join(read[err])


def _namespaces() -> tuple[str, ...]:
    """Return in which namespaces this thread is: a fork is where its parent was started."""
    return tuple(str(Path(f"/proc/thread-self/ns/{one}").readlink()) for one in ("mnt", "net"))


@cache
def _loaded(_where: tuple[str, ...]) -> socket.socket:
    """Return how to ask the Python that waits in these namespaces; it ends when this one does."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    subprocess.Popen(
        [sys.executable, "-P", __file__, str(theirs.fileno())],
        env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
        pass_fds=[theirs.fileno()],
        stdin=subprocess.DEVNULL,
    )
    theirs.close()
    return ours


# --- the Python that waits ----------------------------------------------------------------------


def _serve(asked: socket.socket) -> None:
    for name in _LOADED:
        importlib.import_module(name)
    gc.freeze()  # or a collection would copy every page of them
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        _, descriptors, _, _ = socket.recv_fds(asked, 1, 5)
        if not descriptors:
            return
        if os.fork() == 0:
            asked.close()
            _watch(*descriptors)
        for one in descriptors:
            os.close(one)


def _watch(request: int, told: int, *streams: int) -> NoReturn:
    """Fork the command, and tell its number and how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        os.close(told)
        _become(request, streams)
    for one in streams:
        os.close(one)
    os.write(told, str(pid).encode())
    with contextlib.suppress(OSError):  # it was given up
        os.write(told, str(os.waitpid(pid, 0)[1]).encode())
    os._exit(0)


def _become(request: int, streams: Sequence[int]) -> NoReturn:
    """Be a process in which Python has just started, about to run the script `mlq`."""
    try:
        with os.fdopen(request, "rb") as file:
            file.seek(0)
            asked: dict[str, Any] = json.load(file)
        for number, one in enumerate(streams):
            os.dup2(one, number)
        for one in streams:
            os.close(one)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.umask(asked["umask"])
        os.chdir(asked["folder"])
        os.environ.clear()
        os.environ.update(asked["environ"])
        time.tzset()
        sys.argv = asked["argv"]
        sys.path.insert(0, str(Path(sys.argv[0]).parent))
        sys.stdin = open(0, encoding="utf-8", errors="surrogateescape", closefd=False)  # noqa: SIM115
        sys.stdout = open(1, "w", encoding="utf-8", errors="surrogateescape", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
        from mlq_cli.entry import script

        script()
    except SystemExit as end:
        sys.stdout.flush()
        os._exit(end.code if isinstance(end.code, int) else end.code is not None)
    except BaseException:  # noqa: BLE001 - Python would print it and end
        traceback.print_exc()
    os._exit(1)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
