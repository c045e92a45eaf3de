"""Everything outside a launcher that it touches, given to it as one argument.

What may hang in NFS is in `Files`: only the threads of the pools call it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from mlq.files.layout import Layout
from mlq.files.root import LastLook
from mlq.jobs.attempt import AttemptId
from mlq_worker.guest.memory.cgroups import NO_CGROUPS, JobCgroups
from mlq_worker.ipc.host import Host
from mlq_worker.ipc.values import Order, Result
from mlq_worker.launcher.aftermath import Aftermath
from mlq_worker.launcher.holder import Holder
from mlq_worker.launcher.io_threads import Pool
from mlq_worker.launcher.keepers import Keepers
from mlq_worker.launcher.lookup import Failure
from mlq_worker.launcher.prepare import Preparation, Ready, close_logs
from mlq_worker.launcher.results import has_said, read_last_line, write_result
from mlq_worker.launcher.wishes import Wishes


class Files(Protocol):
    """What a launcher does on the results root; `RootFiles` is the real thing."""

    def prepare(self, order: Order) -> Ready | Failure:
        """Make what a job needs before it can start; its log is open until `close`."""

    def expect(self, attempt: AttemptId) -> None:
        """Note that a prepared attempt will be prepared once more."""

    def close(self, logs: tuple[int, int]) -> None:
        """Close the logs of an attempt."""

    def last_line(self, result: Result, hidden: tuple[str, ...]) -> str:
        """Return the last line of an attempt's log, without what must not be in it."""

    def has_said(self, result: Result) -> bool:
        """Return whether an attempt wrote to its log or its report."""

    def write(self, result: Result) -> str:
        """Write a result; return what went wrong, "" if nothing did."""

    def tidy(self, attempt: AttemptId) -> str:
        """Remove the code of a job that has ended for good; return what went wrong."""


class RootFiles:
    """The results root.

    Args:
        layout: where jobs have their folders, and whose root that must be.
        holder: who holds the attempts; noted beside each.
        note: writes a line into the machine's log.
    """

    def __init__(self, layout: Layout, holder: Holder, note: Callable[[str], None]) -> None:
        self._layout, self._last_look = layout, LastLook()
        preparation = Preparation(layout, holder, last_look=self._last_look, note=note)
        self.prepare, self.expect = preparation.prepare, preparation.expect
        self.tidy = preparation.tidy
        self.close = close_logs

    def last_line(self, result: Result, hidden: tuple[str, ...]) -> str:
        """Return the last line of an attempt's log, without what must not be in it."""
        return read_last_line(result, self._layout, hidden, self._last_look)

    def has_said(self, result: Result) -> bool:
        """Return whether an attempt wrote to its log or its report."""
        return has_said(result, self._layout, self._last_look)

    def write(self, result: Result) -> str:
        """Write a result; return what went wrong, "" if nothing did."""
        return write_result(result, self._layout, self._last_look)


@dataclass(frozen=True, slots=True)
class Edges:
    """The edges of a launcher.

    Args:
        host: the machine.
        keepers: how jobs are executed, and their ends heard.
        pool: threads for work that may hang.
        copying: threads for long work: copying code.
        clearing: threads for work on which no job waits: removing copies.
        files: the results root.
        aftermath: the notes about attempts beside their results.
        wishes: which attempts ask to be queued again.
        cgroups: of the jobs.
    """

    host: Host
    keepers: Keepers
    pool: Pool
    copying: Pool
    clearing: Pool
    files: Files
    aftermath: Aftermath
    wishes: Wishes
    cgroups: JobCgroups = NO_CGROUPS
