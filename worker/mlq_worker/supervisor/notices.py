"""Sends the signals that tell a job something, and watches whether those told have ended.

The edge around `audience`. It reads only /proc, and no file there that waits for a process: a job
that is stuck in a hung disk must not delay the supervisor's clock.

A signal ahead of the time limit may come before the program has set up its handler, as while it
still imports PyTorch. Then it is kept until a process handles it, or the job is told to end.
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
_SRUN = frozenset((b"srun", b"mlq-srun"))
_SOON_S = 0.01  # until a job that has hardly started is told once more
_LOOK_S = 0.05  # between two looks at those that were told to end
_AGAIN_S, _AGAIN_MAX_S = 0.1, 2.0  # until a signal that no process handles is tried again


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


class Told(NamedTuple):
    """Whether a job has a process that handles the signal that its user asked for."""

    target: Target
    is_heeded: bool


class _Kept(NamedTuple):
    notice: Notice
    pause_s: float
    at: float


class Notices:
    """The signals still to send, and the processes whose end is awaited.

    Args:
        host: where the jobs run.
        manner_of: how a process, by its pid, takes a signal.
    """

    def __init__(self, host: Host, manner_of: Callable[[int, int], Manner]) -> None:
        self._host, self._manner_of = host, manner_of
        self._pending: list[Notice] = []
        self._kept: dict[Target, _Kept] = {}
        self._awaited: dict[Target, list[Process]] = {}
        self._terminated: dict[Target, list[Process]] = {}

    def add(self, terminate: Iterable[Target], notify: Iterable[Notice]) -> None:
        """Send these at the next `send`: SIGTERM to `terminate`, and the signals in `notify`."""
        ends = [Notice(target, SIGTERM, first_only=False, or_end=True) for target in terminate]
        new = [*ends, *notify]
        for notice in new:
            self._kept.pop(notice.target, None)
        self._pending += new

    def send(self) -> list[Told]:
        """Send what is pending; return what became of signals that users asked for."""
        now = self._host.boottime()
        due = [kept.notice for kept in self._kept.values() if kept.at <= now]
        if not self._pending and not due:
            return []
        table, again, told = self._host.look(), [], []
        for notice in [*self._pending, *due]:
            first = procfs.leader_of(notice.target, table)
            if first is not None:
                told += self._sent(notice, first, table)
            elif not procfs.lives(notice.target, table):
                self._kept.pop(notice.target, None)
            elif notice.target not in self._kept:
                again.append(notice)  # the first process is about to start, or has just ended
        self._pending = again
        return told

    def _sent(self, notice: Notice, first: Process, table: dict[int, Process]) -> list[Told]:
        number, first_only = notice.number, notice.first_only
        ends = notice.or_end and number == SIGTERM
        found = audience(first, table, self._manners(number), ends=ends, first_only=first_only)
        is_heeded = bool(found.told)
        if notice.or_end and not is_heeded:
            found = audience(first, table, self._manners(SIGTERM), ends=True)
            notice = notice._replace(number=SIGTERM)
        self._tell(notice, found, table)
        if ends:
            return []
        kept = self._kept.pop(notice.target, None)
        if not is_heeded and not notice.or_end:
            pause_s = _AGAIN_S if kept is None else min(2 * kept.pause_s, _AGAIN_MAX_S)
            at = self._host.boottime() + pause_s
            self._kept[notice.target] = _Kept(notice, pause_s, at)
        return [Told(notice.target, is_heeded)] if is_heeded or kept is None else []

    def terminate_rest(self, targets: Iterable[Target], left: Iterable[Process]) -> None:
        """Send SIGTERM to the processes that are left of jobs, but to none a second time."""
        had = [one for target in targets for one in self._terminated.pop(target, [])]
        known = {(one.pid, one.start) for one in had}
        for process in left:
            if (process.pid, process.start) not in known:
                processes.send(self._host, process, SIGTERM)
            processes.send(self._host, process, SIGCONT)

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
            if notice.number == SIGTERM:
                self._terminated[notice.target] = self._reached(found.told, table)

    def _reached(self, told: Iterable[Process], table: dict[int, Process]) -> list[Process]:
        """Return who gets SIGTERM if these are told: `srun` passes it on to its ranks."""
        sruns = [one.pid for one in told if self._manner_of(one.pid, SIGTERM).is_srun]
        return [*told, *(procfs.below(table, sruns).values() if sruns else ())]

    def over(self) -> list[Target]:
        """Return the jobs in which those that were told to end have ended, each once."""
        found = []
        for target, told in list(self._awaited.items()):
            told[:] = [process for process in told if self._lives(process)]
            if not told:
                del self._awaited[target]
                self._terminated.pop(target, None)
                found.append(target)
        return found

    @property
    def wait_s(self) -> float:
        """Return in how many seconds there is something to do."""
        if self._pending:
            return _SOON_S
        if self._awaited:
            return _LOOK_S
        soonest = min((kept.at for kept in self._kept.values()), default=float("inf"))
        return max(0.0, soonest - self._host.boottime())

    def _manners(self, number: int) -> Callable[[int], Manner]:
        return lambda pid: self._manner_of(pid, number)

    def _lives(self, process: Process) -> bool:
        now = self._host.look_at(process.pid)
        return now is not None and now.start == process.start and now.state not in "ZX"


def manner_of(pid: int, number: int) -> Manner:
    """Return how a process takes a signal; one that is gone takes none."""
    caught = blocked = ignored = 0
    called = b""
    for line in (procfs.read(f"/proc/{pid}/status") or b"").splitlines():
        name, _, value = line.partition(b":")
        match name:
            case b"Name":
                called = value.strip()
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
        called in _SRUN,
    )
