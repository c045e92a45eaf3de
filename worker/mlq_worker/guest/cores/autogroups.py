"""Gives the sessions of jobs the lowest weight among all sessions of this machine.

Where the kernel shares a core out among sessions first (sched(7), autogroup), the niceness of a
process counts only within its session; each session has one of its own. The kernel lets a user
change few of them a second, so it is tried again in a later look.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Collection
from pathlib import Path

from mlq_worker.guest.trees import Member
from mlq_worker.probes.process_table import PROC

EVERY_S = 10.0
_LOWEST = 19


class Autogroups:
    """Looks at each new process, and at all every ten seconds: a process may change its session.

    Args:
        proc: where procfs is.
    """

    def __init__(self, proc: Path = PROC) -> None:
        self._proc = os.fspath(proc)
        self._seen: set[tuple[int, int]] = set()
        self._anew_at = 0.0

    def look(self, members: Collection[Member], at: float) -> None:
        """Lower the sessions of these processes.

        Args:
            members: the processes of all jobs.
            at: a clock that never goes back, in seconds.
        """
        if at >= self._anew_at:
            self._seen, self._anew_at = set(), at + EVERY_S
        known = {(one.pid, one.start) for one in members}
        for name in known - self._seen:
            if not self._lower(name[0]):
                return
            self._seen.add(name)
        self._seen &= known

    def _lower(self, pid: int) -> bool:
        """Lower the session of a process; return whether the kernel takes more now."""
        path = f"{self._proc}/{pid}/autogroup"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return True  # it has ended, is not ours, or this kernel has none
        try:
            text = os.read(descriptor, 128)
            if text and not text.endswith(b" nice %d\n" % _LOWEST):
                os.write(descriptor, b"%d" % _LOWEST)
        except OSError as error:
            return error.errno != errno.EAGAIN
        finally:
            os.close(descriptor)
        return True
