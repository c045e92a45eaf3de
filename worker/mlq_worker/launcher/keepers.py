"""The launcher's children: a keeper for each job that runs, and what a killed keeper lost.

See `keeper`. Everything below a keeper belongs to its attempt. Only when a keeper itself is killed
do its processes come to the launcher, the next subreaper. The launcher cannot tell which attempt
they belong to, but only to one whose keeper was killed, and that attempt is over. Invariant: such
orphans are killed, and no such attempt counts as ended until none is left.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from resource import struct_rusage
from typing import NamedTuple

from mlq_worker.ipc import processes
from mlq_worker.ipc.host import Host
from mlq_worker.ipc.procfs import Process, below
from mlq_worker.keeper.start import (
    CGROUP_FD,
    REPORT,
    REPORT_FD,
    Keeper,
    Scheduling,
    above_reports,
)


class Leader(NamedTuple):
    """How the first process of a job ended: a status of wait(2)."""

    keeper: int
    status: int


class Gone(NamedTuple):
    """A keeper that has ended, and what all below it used."""

    pid: int
    status: int
    usage: struct_rusage


class Descriptors(NamedTuple):
    """What a job begins with: its standard output and error, and its cgroup if it has one."""

    out: int
    err: int
    cgroup: int | None = None


class Keepers:
    """Starts keepers and learns of their ends; for one thread only, at whose death they act.

    Args:
        host: where they run.
        runtime: a private folder.
    """

    def __init__(self, host: Host, runtime: Path) -> None:
        self._host = host
        self._keeper = Keeper(runtime)
        # exec resets handlers, but an ignored signal, as SIGPIPE is in Python, stays ignored.
        self._ignored = [
            number
            for number in signal.valid_signals()
            if signal.getsignal(number) is signal.SIG_IGN
        ]
        self._null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        self._reports, self._report_to = map(above_reports, os.pipe2(os.O_CLOEXEC))
        os.set_blocking(self._reports, False)
        self._unread = b""
        self._pids: set[int] = set()
        self._has_strays = False

    def fileno(self) -> int:
        """Return a descriptor that is readable when a leader has ended."""
        return self._reports

    def start(
        self,
        name: str,
        cwd: str,
        argv: Sequence[str],
        env: Mapping[str, str],
        files: Descriptors,
        scheduling: Scheduling,
    ) -> int:
        """Start a job; return its keeper's pid.

        Args:
            name: how its keeper is called.
            cwd: where it starts.
            argv: its command.
            env: its whole environment.
            files: what it begins with.
            scheduling: how it runs.

        Raises:
            OSError: the kernel refuses.
            ValueError: an argument or a variable holds a NUL byte.
        """
        path, command = self._keeper.keep(name, cwd, argv, scheduling)
        # Not subprocess: it waits until the child has closed its copies of our descriptors,
        # and closing one on a hung NFS takes as long as NFS hangs.
        pid = os.posix_spawn(
            path,
            command,
            env,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, self._null, 0),
                (os.POSIX_SPAWN_DUP2, files.out, 1),
                (os.POSIX_SPAWN_DUP2, files.err, 2),
                (os.POSIX_SPAWN_DUP2, self._report_to, REPORT_FD),
                # The last: what was opened as 4 is no longer needed.
                *([] if files.cgroup is None else [(os.POSIX_SPAWN_DUP2, files.cgroup, CGROUP_FD)]),
            ],
            setsigmask=(),
            setsigdef=self._ignored,
        )
        self._pids.add(pid)
        return pid

    def hear(self) -> tuple[list[Leader], list[Gone]]:
        """Return the leaders and the keepers that have ended since the last call.

        A keeper reports its leader before it ends, so it is never in the second list before its
        leader is in the first, unless it was killed or had no leader.
        """
        gone = []
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            if pid in self._pids:
                self._pids.remove(pid)
                gone.append(Gone(pid, status, usage))
                self._has_strays |= os.WIFSIGNALED(status)
        return self._leaders(), gone

    def _leaders(self) -> list[Leader]:
        try:
            self._unread += os.read(self._reports, 1 << 16)
        except BlockingIOError:
            return []
        whole = len(self._unread) // REPORT.size * REPORT.size
        found, self._unread = self._unread[:whole], self._unread[whole:]
        return [Leader(*report) for report in REPORT.iter_unpack(found)]

    def end_orphans(self) -> bool:
        """Kill the orphans of killed keepers; return whether there may be some left."""
        if self._has_strays:
            self._has_strays = processes.kill_all(self._host, self._strays)
        return self._has_strays

    def _strays(self) -> dict[int, Process]:
        return below(self._host.look(), [os.getpid()], self._pids)
