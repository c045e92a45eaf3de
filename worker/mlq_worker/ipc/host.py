"""The machine under a supervisor or a launcher: its clocks, processes, log and results root.

Everything in which a real machine differs from a simulated one is here, passed as an argument;
no other code of the supervisor or the launcher reads a clock or signals a process. `LinuxHost` is
the real one; the simulation passes its own.
"""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from mlq.files.layout import Layout
from mlq.files.root import LastLook, pinned
from mlq_worker.ipc import clock, procfs
from mlq_worker.ipc.clock import Moment, utc_now
from mlq_worker.ipc.procfs import Process


class Poll(Protocol):
    """What a process waits with; `select.poll` is one."""

    def register(self, fd: Any, eventmask: int = ..., /) -> object:
        """Watch a descriptor from now on."""

    def unregister(self, fd: Any, /) -> object:
        """Stop watching a descriptor."""

    def poll(self, timeout: float | None = ..., /) -> Sequence[tuple[int, int]]:
        """Wait until something has happened, or for `timeout` milliseconds.

        Returns:
            Each descriptor that has something to say, with its events.
        """


class Host(Protocol):
    """A machine."""

    def boottime(self) -> float:
        """Return the seconds since the machine booted, suspension included."""

    def utc_now(self) -> str:
        """Return the time of day, for people."""

    def note(self, text: str) -> None:
        """Write a line into the log."""

    def look(self) -> dict[int, Process]:
        """Return all processes but zombies, by pid."""

    def look_at(self, pid: int) -> Process | None:
        """Return one process; None if there is no such process."""

    def mark_of(self, pid: int) -> str:
        """Return the mark that a process shows; "" if none."""

    def kill(self, pid: int, number: int) -> None:
        """Signal a process.

        Raises:
            ProcessLookupError: there is no such process.
            PermissionError: it is not ours to signal.
        """

    def killpg(self, group: int, number: int) -> None:
        """Signal a process group; raise as `kill` does."""

    def pinned(self, layout: Layout) -> AbstractContextManager[Layout]:
        """Open the results root and check which queue it is of; see `mlq.files.root.pinned`."""

    def poll(self) -> Poll:
        """Return something to wait with."""


def note(text: str) -> None:
    """Write a line with the time of day to standard error, which is the log."""
    sys.stderr.write(f"{utc_now()} {text}\n")
    sys.stderr.flush()


class LinuxHost:
    """The machine that this process runs on.

    Args:
        last_look: remembers the results root for callers that open it hundreds of times a second.
    """

    boottime = staticmethod(clock.boottime)
    utc_now = staticmethod(clock.utc_now)
    note = staticmethod(note)
    look = staticmethod(procfs.look)
    look_at = staticmethod(procfs.look_at)
    mark_of = staticmethod(procfs.mark_of)
    kill = staticmethod(os.kill)
    killpg = staticmethod(os.killpg)
    poll: Callable[[], Poll] = staticmethod(select.poll)

    def __init__(self, last_look: LastLook | None = None) -> None:
        self._last_look = last_look

    def pinned(self, layout: Layout) -> AbstractContextManager[Layout]:
        """Open the results root and check which queue it is of."""
        return pinned(layout, self._last_look)


def moment(host: Host) -> Moment:
    """Return this instant, on both clocks."""
    return Moment(host.boottime(), host.utc_now())
