"""The launcher process: parent of all jobs, child of the supervisor.

A process of its own, so that the supervisor never forks beside its beat thread. Invariant: nothing
that it started outlives the supervisor. A guard thread sees to that: it waits for the other end of
the connection to close and needs neither the main thread nor any disk to kill what is left.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import select
import signal
import socket
import sys
import threading
from pathlib import Path
from types import FrameType

from mlq.layout import Layout
from mlq_worker.supervisor import processes
from mlq_worker.supervisor.channel import Channel
from mlq_worker.supervisor.clock import boottime
from mlq_worker.supervisor.deathsig import Trampoline
from mlq_worker.supervisor.spawner import Spawner

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # prctl(2)
_GUARD_ROUNDS = 1000
_SWITCH_S = 0.0002  # the threads do little between two system calls; 5 ms would be ten jobs


def guard(connection: socket.socket, mark_prefix: str) -> None:
    """Waits until the supervisor is gone, kills all that it held, and ends this process."""
    poll = select.poll()
    poll.register(connection, 0)  # only the hang-up, which cannot be masked
    while not poll.poll():
        continue
    us = os.getpid()
    for _ in range(_GUARD_ROUNDS):
        if not processes.kill_all(lambda: processes.marked(mark_prefix, {us}, root=us)):
            break
    os._exit(0)


def run(spawner: Spawner, channel: Channel, deaths: socket.socket) -> None:
    """Turns until the supervisor hangs up; from there on the guard acts."""
    poll = select.poll()
    poll.register(deaths, select.POLLIN)
    poll.register(spawner.pool, select.POLLIN)
    while not channel.closed:
        channel.watch(poll)
        wait_s = spawner.tick() - boottime()
        poll.poll(None if wait_s == float("inf") else max(0, int(wait_s * 1000) + 1))
        _drain(deaths)
        # Deaths first: whatever died of a signal was condemned before it, so the reason is there.
        spawner.reap()
        channel.flush()
        for message in channel.receive():
            spawner.handle(message)
        spawner.pool.collect()


def _drain(deaths: socket.socket) -> None:
    try:
        deaths.recv(4096)
    except BlockingIOError:
        return


def _watch_deaths() -> socket.socket:
    """A socket that is readable after a child has died."""
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.set_wakeup_fd(theirs.detach(), warn_on_full_buffer=False)
    return ours


def main() -> None:
    """Runs the launcher on the connection it was given."""
    parser = argparse.ArgumentParser(prog="mlq-launcher")
    parser.add_argument("--fd", type=int, required=True)
    for name in ("--machine", "--boot-id", "--supervisor-id", "--queue-id", "--mark-prefix"):
        parser.add_argument(name, required=True)
    for name in ("--root", "--runtime"):
        parser.add_argument(name, type=Path, required=True)
    options = parser.parse_args()

    os.umask(0o077)
    sys.setswitchinterval(_SWITCH_S)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    connection = socket.socket(fileno=options.fd)
    connection.set_inheritable(False)
    threading.Thread(
        target=guard, args=(connection, options.mark_prefix), name="guard", daemon=True
    ).start()
    # It came with SIGKILL at the supervisor's death; from here the guard does it, and more.
    libc.prctl(_PR_SET_PDEATHSIG, 0, 0, 0, 0)

    channel = Channel(connection)
    spawner = Spawner(
        channel,
        Layout(options.root, options.queue_id),
        (options.machine, options.boot_id),
        Trampoline(options.runtime),
        options.supervisor_id,
    )

    def told_to_end(_number: int, _frame: FrameType | None) -> None:
        spawner.told_to_end = True

    signal.signal(signal.SIGTERM, told_to_end)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    run(spawner, channel, _watch_deaths())
    threading.Event().wait()  # for the guard to end the process


if __name__ == "__main__":
    main()
