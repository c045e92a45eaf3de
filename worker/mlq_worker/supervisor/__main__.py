"""Starts the supervisor of a machine in the background: `python -m mlq_worker.supervisor`."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType

from mlq_worker.supervisor import clock, processes
from mlq_worker.supervisor.beat import Beats
from mlq_worker.supervisor.client import SOCKET_NAME
from mlq_worker.supervisor.journal import note
from mlq_worker.supervisor.loop import Supervisor
from mlq_worker.supervisor.options import Options, parse

_LEFTOVER_ROUNDS = 100
_LEFTOVER_PAUSE_S = 0.02
_ALREADY_RUNNING = 75  # EX_TEMPFAIL: the caller tries to connect again


def main() -> None:
    """Takes the lock, ends what an earlier supervisor left, and holds jobs until it is done."""
    options = parse(sys.argv[1:])
    os.umask(0o077)
    lock = os.open(
        options.runtime / "supervisor.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
    )
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(_ALREADY_RUNNING)
    if os.fork():
        os._exit(0)  # the lock is the child's too; whoever started us has no child to wait for
    pid_file = options.runtime / "supervisor.pid"
    pid_file.write_text(f"{os.getpid()}\n", encoding="ascii")
    note(f"supervisor {os.getpid()} started for {options.machine}")
    end_leftovers(options.mark_prefix)
    path = options.runtime / SOCKET_NAME
    path.unlink(missing_ok=True)
    try:
        hold(options, path)
    finally:
        path.unlink(missing_ok=True)
        pid_file.unlink(missing_ok=True)
    note(f"supervisor {os.getpid()} ends: nothing to hold")


def end_leftovers(mark_prefix: str) -> None:
    """Kills every process of an earlier supervisor's jobs.

    One that cannot die now, stuck in a hung disk, runs no further instruction of its own.
    """
    for _ in range(_LEFTOVER_ROUNDS):
        if not processes.kill_all(lambda: processes.marked(mark_prefix, {os.getpid()})):
            return
        time.sleep(_LEFTOVER_PAUSE_S)
    note("some processes of an earlier supervisor's jobs do not die; they are stuck in the kernel")


def hold(options: Options, path: Path) -> None:
    """Runs the supervisor on a socket at `path`."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(5)
    listener.setblocking(False)
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setblocking(False)

    def wake() -> None:
        with suppress(BlockingIOError):  # full of wakes: it is awake
            theirs.send(b"w")

    identity = {"supervisor_id": os.urandom(8).hex(), "boot_id": clock.boot_id()}
    beats = Beats(
        options.layout,
        {"machine": options.machine, **identity},
        options.spans.beat_s,
        wake,
    )
    supervisor = Supervisor(options, listener, ours, beats, identity)

    def told_to_end(_number: int, _frame: FrameType | None) -> None:
        supervisor.told_to_end = True
        wake()

    signal.signal(signal.SIGTERM, told_to_end)
    supervisor.run()


if __name__ == "__main__":
    main()
    os._exit(0)  # without waiting for a beat that hangs in NFS
