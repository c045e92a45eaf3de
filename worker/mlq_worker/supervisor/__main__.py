"""Starts the supervisor of a machine in the background: `python -m mlq_worker.supervisor`."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from contextlib import suppress
from types import FrameType

from mlq.residence import Caretaker
from mlq_worker.supervisor import clock, processes
from mlq_worker.supervisor.beat import Beats, guard_of
from mlq_worker.supervisor.client import ALREADY_RUNNING
from mlq_worker.supervisor.journal import note
from mlq_worker.supervisor.loop import Supervisor
from mlq_worker.supervisor.options import Options, parse
from mlq_worker.supervisor.residence import SupervisorResidence

_LEFTOVER_ROUNDS = 100
_LEFTOVER_PAUSE_S = 0.02


def main() -> None:
    """Becomes the only one, ends what an earlier one left, and holds jobs until it is done."""
    options = parse(sys.argv[1:])
    os.umask(0o077)
    residence = SupervisorResidence(options, note)
    if why_not := residence.take():
        note(f"supervisor {os.getpid()} leaves: {why_not}")
        sys.exit(ALREADY_RUNNING)
    if os.fork():
        os._exit(0)  # the lock is the child's too; whoever started us has no child to wait for
    residence.settle()
    note(f"supervisor {os.getpid()} started for {options.machine}")
    end_leftovers(options.mark_prefix)
    try:
        hold(options, residence)
    finally:
        residence.leave()
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


def hold(options: Options, residence: SupervisorResidence) -> None:
    """Runs the supervisor where it resides."""
    listeners = residence.listen()
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setblocking(False)

    def wake() -> None:
        with suppress(BlockingIOError):  # full of wakes: it is awake
            theirs.send(b"w")

    identity = {"supervisor_id": os.urandom(8).hex(), "boot_id": clock.boot_id()}
    host = {"host_id": options.host_id, "host": os.uname().nodename}
    beats = Beats(
        options.layout,
        {"machine": options.machine, **identity, **host},
        options.spans.beat_s,
        wake,
        guard_of(options, identity["supervisor_id"]),
    )
    supervisor = Supervisor(options, listeners, ours, beats, identity)

    def told_to_end(_number: int, _frame: FrameType | None) -> None:
        supervisor.told_to_end = True
        wake()

    signal.signal(signal.SIGTERM, told_to_end)
    caretaker = Caretaker([residence.renew], clock.boottime, note)
    caretaker.start()
    supervisor.run()
    caretaker.stop()


if __name__ == "__main__":
    main()
    os._exit(0)  # without waiting for a beat that hangs in NFS
