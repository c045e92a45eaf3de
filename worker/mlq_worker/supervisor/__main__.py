"""Starts the supervisor of a machine in the background: `python -m mlq_worker.supervisor`."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
from contextlib import suppress
from functools import partial
from types import FrameType

from mlq.files.residence import Caretaker
from mlq_worker.guest.memory.cgroups import JobCgroups, find_scope, settle
from mlq_worker.guest.watches import guest_of, leave
from mlq_worker.ipc import clock
from mlq_worker.ipc.host import Host, LinuxHost, note
from mlq_worker.ipc.options import Options, parse
from mlq_worker.ipc.residence import ALREADY_RUNNING, SupervisorResidence
from mlq_worker.keeper.start import Keeper
from mlq_worker.supervisor.edges import Edges
from mlq_worker.supervisor.heartbeat import HeartbeatWriter
from mlq_worker.supervisor.launcher_process import LauncherProcess
from mlq_worker.supervisor.leftovers import end_leftovers
from mlq_worker.supervisor.listener import WorkerListener
from mlq_worker.supervisor.loop import Supervisor
from mlq_worker.supervisor.notices import manner_of

_PR_SET_PDEATHSIG, _PR_SET_NAME, _PR_SET_CHILD_SUBREAPER = 1, 15, 36  # prctl(2)
_SHORT_NAME = b"mlq-guest"  # for who looks with `top`: what this is, as its arguments say


def main() -> None:
    """Become the only supervisor, end what an earlier one left, and hold jobs until done."""
    options = parse(sys.argv[1:])
    os.umask(0o077)
    ctypes.CDLL(None).prctl(_PR_SET_NAME, _SHORT_NAME, 0, 0, 0)
    if options.parent:
        _end_with(options.parent)
    residence = SupervisorResidence(options, note)
    if why_not := residence.take():
        note(f"supervisor {os.getpid()} leaves: {why_not}")
        sys.exit(ALREADY_RUNNING)
    if not options.parent and os.fork():
        os._exit(0)  # the lock is the child's too, and our parent has no child to wait for
    residence.settle()
    note(f"supervisor {os.getpid()} started for {options.machine}")
    host = LinuxHost()
    end_leftovers(host, options.mark_prefix)
    try:
        hold(host, options, residence)
    finally:
        residence.leave()
    note(f"supervisor {os.getpid()} ends: nothing to hold")


def _end_with(parent: int) -> None:
    """Have the kernel kill this process when the worker dies, and with it all that it holds."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)  # it had died before the kernel was asked
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal: the worker has it too


def hold(host: Host, options: Options, residence: SupervisorResidence) -> None:
    """Run the supervisor where it resides."""
    listeners = residence.listen()
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setblocking(False)

    def wake() -> None:
        with suppress(BlockingIOError):  # the socket is full of wakes: the loop is awake
            theirs.send(b"w")

    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # see `launcher_process`
    scope = settle(find_scope())
    identity = {"supervisor_id": os.urandom(8).hex(), "boot_id": clock.boot_id()}
    machine = {"host_id": options.host_id, "host": os.uname().nodename}
    poll = host.poll()
    listener = WorkerListener(listeners, poll, host.note)
    guest = guest_of(options, lambda: listener.worker_pids, scope)
    edges = Edges(
        host,
        poll,
        listener,
        ours,
        HeartbeatWriter(host, options, {"machine": options.machine, **identity, **machine}, wake),
        partial(LauncherProcess, host, options, identity, Keeper(options.runtime)),
        manner_of,
        guest,
        guest,
        JobCgroups(scope.folder),
    )
    supervisor = Supervisor(options, edges, identity)

    def on_stop(_number: int, _frame: FrameType | None) -> None:
        supervisor.stop_requested = True
        wake()

    signal.signal(signal.SIGTERM, on_stop)
    caretaker = Caretaker([residence.renew], clock.boottime, note)
    caretaker.start()
    supervisor.run()
    caretaker.stop()
    leave(options)


if __name__ == "__main__":
    main()
    os._exit(0)  # without waiting for a beat that hangs in NFS
