"""The launcher process: parent of all jobs, child of the supervisor.

A process of its own, so that the supervisor never forks beside its beat thread. Invariant: it acts
for one supervisor and never outlives it, stopped or not: the kernel kills it at the supervisor's
death, and with it, by their keepers, all that it started. It never kills by a mark, which the jobs
of the next supervisor carry too.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import resource
import select
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from types import FrameType

from mlq.files.layout import Layout
from mlq_worker.guest.memory.cgroups import JobCgroups, settled_scope
from mlq_worker.ipc.channel import Channel
from mlq_worker.ipc.host import Host, LinuxHost
from mlq_worker.ipc.launcher_messages import Commands
from mlq_worker.launcher.aftermath import Aftermath
from mlq_worker.launcher.edges import Edges, RootFiles
from mlq_worker.launcher.holder import Holder
from mlq_worker.launcher.io_threads import Pool
from mlq_worker.launcher.keepers import Keepers
from mlq_worker.launcher.spawner import Spawner
from mlq_worker.launcher.wishes import Wishes

_PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
_POOL_SIZE = 4
_COPYING_SIZE = 4
_SWITCH_S = 0.0002  # the threads do little between two system calls; 5 ms would be ten jobs


def run(host: Host, spawner: Spawner, channel: Channel, deaths: socket.socket) -> None:
    """Turn until the supervisor hangs up."""
    poll = host.poll()
    pools = (spawner.pool, spawner.copying, spawner.clearing)
    for one in (deaths, spawner.keepers, *pools):
        poll.register(one, select.POLLIN)
    of_deaths = {deaths.fileno(), spawner.keepers.fileno()}
    while not channel.closed:
        channel.watch(poll)
        wait_s = spawner.tick() - host.boottime()
        told = poll.poll(None if wait_s == float("inf") else max(0, int(wait_s * 1000) + 1))
        # Who has nothing to say is not read: seven vain reads a turn were 2 % of a short job.
        ready = {descriptor for descriptor, _ in told}
        # Deaths first: a process killed by a signal was condemned before, so its reason is known.
        if ready & of_deaths:
            _drain(deaths)
            spawner.reap()
        if channel.fileno() in ready:
            channel.flush()
            for message in channel.receive():
                spawner.handle(Commands.from_json(message))
        for pool in pools:
            if pool.fileno() in ready:
                pool.collect()


def _drain(deaths: socket.socket) -> None:
    try:
        deaths.recv(4096)
    except BlockingIOError:
        return


def _watch_deaths() -> socket.socket:
    """Return a socket that is readable after a child has died."""
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.set_wakeup_fd(theirs.detach(), warn_on_full_buffer=False)
    return ours


def _is_told_late() -> bool:
    """Return whether the batch system tells jobs to end itself: Slurm, if it uses no cgroups."""
    return "SLURM_JOB_ID" in os.environ and "/job_" not in Path("/proc/self/cgroup").read_text()


def main() -> None:
    """Run the launcher on the connection it was given."""
    parser = argparse.ArgumentParser(prog="mlq-launcher")
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--supervisor", type=int, required=True)
    for name in ("--machine", "--boot-id", "--supervisor-id", "--queue-id", "--mark-prefix"):
        parser.add_argument(name, required=True)
    for name in ("--root", "--runtime"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--in-allocation", action="store_true")
    options = parser.parse_args()

    os.umask(0o077)
    # Jobs inherit the limit: data loaders and sharded checkpoints open more than the usual 1024.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with suppress(OSError, ValueError):  # more than fs.nr_open has become since
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    sys.setswitchinterval(_SWITCH_S)
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    # Its way here was `Keeper.become`: it asked for SIGKILL at the supervisor's death.
    if os.getppid() != options.supervisor:
        os._exit(0)  # the supervisor had died before the launcher asked
    connection = socket.socket(fileno=options.fd)
    connection.set_inheritable(False)

    channel = Channel(connection)
    host, layout = LinuxHost(), Layout(options.root, options.queue_id)
    edges = Edges(
        host,
        Keepers(host, options.runtime),
        Pool(_POOL_SIZE, host.boottime),
        Pool(_COPYING_SIZE, host.boottime),
        Pool(1, host.boottime),
        RootFiles(
            layout, Holder(options.machine, options.boot_id, options.supervisor_id), host.note
        ),
        Aftermath(host, layout),
        Wishes(options.runtime),
        JobCgroups(settled_scope().folder),
    )
    spawner = Spawner(channel, (options.machine, options.boot_id), edges)
    spawner.is_told_late = options.in_allocation and _is_told_late()
    spawner.is_guest = not options.in_allocation  # there its time is its own

    def on_stop(_number: int, _frame: FrameType | None) -> None:
        spawner.stop_requested = True

    signal.signal(signal.SIGTERM, on_stop)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    run(host, spawner, channel, _watch_deaths())
    os._exit(0)  # without waiting for threads that hang in NFS


if __name__ == "__main__":
    main()
