"""Sends the signals that tell a job something, and watches whether those told have ended.

The edge around `audience`. It reads only /proc, and no file there that waits for a process: a job
that is stuck in a hung disk must not delay the supervisor's clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from signal import SIGCONT, SIGQUIT, SIGSEGV, SIGSTOP, SIGTERM
from typing import NamedTuple

from mlq_worker.ipc import processes, procfs
from mlq_worker.ipc.host import Host
from mlq_worker.ipc.procfs import Process, Target
from mlq_worker.supervisor.audience import Audience, Manner, audience

_SHELLS = frozenset(
    ("ash", "bash", "busybox", "csh", "dash", "fish", "ksh", "ksh93", "mksh", "sh", "tcsh", "zsh")
)
_PASS_ON = frozenset(("gmake", "make", "timeout"))
_SOON_S = 0.01  # until a job that has hardly started is told once more
_LOOK_S = 0.05  # between two looks at those that were told to end


class Notice(NamedTuple):
    """A signal that a job's user asked for.

    Args:
        target: whose processes are meant.
        number: the signal.
        first_only: whether only the first process gets it.
        or_end: whether it announces an end; then SIGTERM goes instead if no process handles it.
    """

    target: Target
    number: int
    first_only: bool
    or_end: bool


class Notices:
    """The signals still to send, and the processes whose end is awaited.

    Args:
        host: where the jobs run.
        manner_of: how a process, by its pid, takes a signal.
    """

    def __init__(self, host: Host, manner_of: Callable[[int, int], Manner]) -> None:
        self._host, self._manner_of = host, manner_of
        self._pending: list[Notice] = []
        self._awaited: dict[Target, list[Process]] = {}

    def add(self, terminate: Iterable[Target], notify: Iterable[Notice]) -> None:
        """Send these at the next `send`: SIGTERM to `terminate`, and the signals in `notify`."""
        self._pending += [
            Notice(target, SIGTERM, first_only=False, or_end=True) for target in terminate
        ]
        self._pending += notify

    def send(self) -> list[Target]:
        """Send what is pending.

        Returns:
            The jobs in which no process handles the signal that their users asked for.
        """
        if not self._pending:
            return []
        table, again, unheard = self._host.look(), [], []
        for notice in self._pending:
            first = procfs.leader_of(notice.target, table)
            if first is not None:
                if not self._sent(notice, first, table):
                    unheard.append(notice.target)
            elif procfs.lives(notice.target, table):
                again.append(notice)  # the first process is about to start, or has just ended
        self._pending = again
        return unheard

    def _sent(self, notice: Notice, first: Process, table: dict[int, Process]) -> bool:
        number, first_only = notice.number, notice.first_only
        ends = notice.or_end and number == SIGTERM
        found = audience(first, table, self._manners(number), ends=ends, first_only=first_only)
        if notice.or_end and not found.told:
            found = audience(first, table, self._manners(SIGTERM), ends=True)
            notice = notice._replace(number=SIGTERM)
        self._tell(notice, found, table)
        return bool(found.told)

    def _tell(self, notice: Notice, found: Audience, table: dict[int, Process]) -> None:
        for process in found.halted:
            processes.send(self._host, process, SIGSTOP)
        for process in found.told:
            processes.send(self._host, process, notice.number)
        if notice.or_end:
            halted = {process.pid for process in found.halted}
            for process in procfs.below(table, [notice.target.pid or 0]).values():
                if process.pid not in halted:  # a user may have stopped it
                    processes.send(self._host, process, SIGCONT)
            self._awaited[notice.target] = list(found.awaited)

    def over(self) -> list[Target]:
        """Return the jobs in which those that were told to end have ended, each once."""
        found = []
        for target, told in list(self._awaited.items()):
            told[:] = [process for process in told if self._lives(process)]
            if not told:
                del self._awaited[target]
                found.append(target)
        return found

    @property
    def wait_s(self) -> float:
        """Return in how many seconds there is something to do."""
        if self._pending:
            return _SOON_S
        return _LOOK_S if self._awaited else float("inf")

    def _manners(self, number: int) -> Callable[[int], Manner]:
        return lambda pid: self._manner_of(pid, number)

    def _lives(self, process: Process) -> bool:
        now = self._host.look_at(process.pid)
        return now is not None and now.start == process.start and now.state not in "ZX"


def manner_of(pid: int, number: int) -> Manner:
    """Return how a process takes a signal; one that is gone takes none."""
    caught = blocked = ignored = 0
    for line in (procfs.read(f"/proc/{pid}/status") or b"").splitlines():
        name, _, value = line.partition(b":")
        match name:
            case b"SigCgt":
                caught = int(value, 16)
            case b"SigBlk":
                blocked = int(value, 16)
            case b"SigIgn":
                ignored = int(value, 16)
    if blocked >> (SIGSEGV - 1) & 1:
        blocked = 0  # it blocks all for a moment, as to fork; one that waits blocks only its signal
    handled = caught | blocked
    heeds, may_save = (bool(handled >> (one - 1) & 1) for one in (number, SIGTERM))
    program = ""
    with suppress(OSError):
        program = Path(f"/proc/{pid}/exe").readlink().name
    # POSIX shells let what they start with `&` ignore SIGINT and SIGQUIT, unless at a terminal.
    return Manner(
        heeds,
        heeds or may_save,
        program in _SHELLS,
        bool(ignored >> (SIGQUIT - 1) & 1),
        program in _PASS_ON,
    )
