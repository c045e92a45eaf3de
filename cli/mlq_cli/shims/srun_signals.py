"""Passes the signals that `srun` gets on to its ranks.

Who in a rank gets a signal is decided as for a job without `srun`: the process that handles it, and
those below it only if it does not; so a wrapper in shell does not die of a signal that was meant
for the training program, and the helpers of that program are left alone. A signal that comes before
a rank has set up its handler waits until it has. One that ends (SIGTERM, SIGINT, SIGHUP, SIGQUIT)
goes at once. A program below a wrapper in shell may still save its state when SIGTERM has ended the
shell; `srun` waits for it. Invariant: no process gets the same signal twice.
"""

from __future__ import annotations

import os
import signal
import time
from collections import deque
from contextlib import suppress
from types import FrameType

ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
_NOT_OURS = (
    *(signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD, signal.SIGALRM, signal.SIGPIPE),
    *(signal.SIGXFSZ, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGCONT),
    *(signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT, signal.SIGTRAP),
    *(signal.SIGSYS, signal.SIGPROF, signal.SIGVTALRM),
)
CAUGHT = frozenset(signal.valid_signals()) - frozenset(_NOT_OURS)
"""The signals that are passed on."""
_AGAIN_S, _LOOK_S = 0.1, 0.05


class Delivery:
    """The signals on their way to the ranks."""

    def __init__(self) -> None:
        self.ranks: list[int] = []
        self._new: deque[int] = deque()
        self._is_busy = False
        self._waiting: list[tuple[int, int]] = []
        self._saving: set[tuple[int, int]] = set()
        self._kill_in = 0.0

    def catch(self) -> None:
        """Pass on what this process gets from now on, but for what it was started to ignore."""
        for number in CAUGHT:
            if signal.getsignal(number) is not signal.SIG_IGN:
                with suppress(OSError, ValueError):
                    signal.signal(number, self._got)
        signal.signal(signal.SIGALRM, self._again)

    def gone(self, pid: int) -> None:
        """Note that a rank has ended."""
        with suppress(ValueError):
            self.ranks.remove(pid)
        self._waiting = [one for one in self._waiting if one[0] != pid]

    def end_all(self, kill_in_s: float) -> None:
        """End all ranks: SIGTERM now, SIGKILL after so long."""
        if self._kill_in:
            return
        self._kill_in = kill_in_s
        for pid in self.ranks:
            _group(pid, signal.SIGCONT)
            _group(pid, signal.SIGTERM)
        signal.setitimer(signal.ITIMER_REAL, _AGAIN_S, _AGAIN_S)

    def wait_for_the_rest(self) -> None:
        """Wait until the programs that were told have ended, though their ranks' shells have."""
        while self._saving:
            self._saving = {one for one in self._saving if _lives(*one)}
            if self._saving:
                time.sleep(_LOOK_S)

    def _got(self, number: int, _frame: FrameType | None) -> None:
        # The next signal may interrupt this function: it then waits for its turn.
        self._new.append(number)
        if self._is_busy:
            return
        self._is_busy = True
        while self._new:
            one = self._new.popleft()
            for pid in list(self.ranks):
                if not self._deliver(pid, one):
                    self._waiting.append((pid, one))
        self._is_busy = False
        if self._waiting:
            signal.setitimer(signal.ITIMER_REAL, _AGAIN_S, _AGAIN_S)

    def _again(self, _number: int, _frame: FrameType | None) -> None:
        if not self._is_busy:
            self._waiting = [one for one in self._waiting if not self._deliver(*one)]
        if self._kill_in:
            self._kill_in -= _AGAIN_S
            if self._kill_in <= 0:
                for pid in self.ranks:
                    _group(pid, signal.SIGKILL)
                self._kill_in = 0.0
        if not self._waiting and not self._kill_in:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _deliver(self, pid: int, number: int) -> bool:
        """Send a signal to those in a rank whom it is for; return whether there were any.

        One that ends goes to all if none handles it.
        """
        from mlq_worker.ipc import procfs
        from mlq_worker.supervisor.audience import audience
        from mlq_worker.supervisor.notices import manner_of

        table = procfs.look()
        first = table.get(pid)
        if first is None:
            return True
        ends = number in ENDING
        found = audience(first, table, lambda one: manner_of(one, number), ends=ends)
        for process in found.halted:
            _send(process.pid, signal.SIGSTOP)
        for process in found.told:
            _send(process.pid, number)
        if ends:
            self._saving |= {(one.pid, one.start) for one in found.awaited if one.pid != pid}
        return bool(found.told)


def _group(pid: int, number: int) -> None:
    with suppress(OSError):
        os.killpg(pid, number)


def _send(pid: int, number: int) -> None:
    with suppress(OSError):
        os.kill(pid, number)


def _lives(pid: int, start: int) -> bool:
    from mlq_worker.ipc.procfs import look_at

    found = look_at(pid)
    return found is not None and found.start == start and found.state not in "ZX"
