"""Asks the collector process, from a background thread; starts it, and kills one that is silent.

A user's regular expression may never end, and neither may a read from a results root that hangs. So
the process that reads is not the worker (`mlq_worker.collector`). Invariant: there is never more
than one, and a question returns some seconds after the last answer, whatever the process does. One
that is stuck in the kernel is killed, and the next starts once it is gone. Only an attempt on which
it spent its time computing, or at which it crashed, is blamed: a storage that hangs is no job's
fault.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from mlq_worker.collector.protocol import Attempt, Found, Wanted, read_answer, request_line
from mlq_worker.ipc import procfs
from mlq_worker.probes.cores import TICKS_PER_S

SILENT_S = 20.0
"""How long the collector may work on one attempt. A reading takes milliseconds; NFS may be slow."""

PAUSE_S, LONGEST_PAUSE_S = 5.0, 300.0
"""Before another is started after one that failed for no job's fault; doubled each time."""

IDLE_S = 600.0
_BUSY = 0.25  # of the time that it was silent: on a busy machine it gets less than a core
_EXIT_S, _DEATH_S = 0.1, 1.0
_PIECE_BYTES = 1 << 16
_MODULE = "mlq_worker.collector"


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a request.

    Args:
        found: of each attempt that was answered.
        blamed: the attempt that kept the collector busy or crashed it; None if none did.
        fault: why not all were answered; "" if they were.
    """

    found: tuple[Found, ...] = ()
    blamed: Attempt | None = None
    fault: str = ""


class CollectorPort(Protocol):
    """Answers requests; may take long, and never raises."""

    def ask(self, wanted: Sequence[Wanted]) -> Answer:
        """Return what is known of these attempts by now."""


class CollectorChild:
    """The collector process; used by one background thread only.

    Args:
        root: the results root.
        queue_id: the queue that it must belong to.
        clock: monotonic seconds.
        silent_s: how long it may work on one attempt.
        pause_s: the first pause before another is started.
    """

    def __init__(
        self,
        root: str,
        queue_id: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        silent_s: float = SILENT_S,
        pause_s: float = PAUSE_S,
    ) -> None:
        self._argv = (sys.executable, "-P", "-m", _MODULE, root, queue_id)
        self._clock, self._silent_s = clock, silent_s
        self._first_pause_s = self._next_pause_s = pause_s
        self._child: subprocess.Popen[bytes] | None = None
        self._stuck: subprocess.Popen[bytes] | None = None
        self._pause_until_s = float("-inf")
        self._waiting = b""
        self._cpu_s = 0.0
        self._fault = ""

    @property
    def pid(self) -> int | None:
        """The process, if there is one."""
        return None if self._child is None else self._child.pid

    def ask(self, wanted: Sequence[Wanted]) -> Answer:
        """Return what the collector says of these attempts; see `Answer`."""
        if self._stuck is not None and self._stuck.poll() is not None:
            self._stuck = None
        if self._child is None and (self._stuck or self._clock() < self._pause_until_s):
            return Answer(fault=self._fault)
        if self._child is not None and self._child.poll() is not None:
            self._child = None  # it was asked nothing for long
        found: list[Found] = []
        try:
            child = self._child = self._child or self._start()
            self._send(child, request_line(wanted))
            while (answer := read_answer(self._line(child))) is not None:
                found.append(answer)
        except (OSError, ValueError, TypeError) as error:
            return self._failed(wanted, found, error)
        self._next_pause_s = self._first_pause_s
        return Answer(tuple(found))

    def _failed(self, wanted: Sequence[Wanted], found: list[Found], error: Exception) -> Answer:
        self._fault = str(error)
        child, self._child = self._child, None
        at_fault = None
        if child is not None and self._is_jobs_fault(child):
            told = {one.key for one in found}
            at_fault = next((one.key for one in wanted if one.key not in told), None)
        if child is not None:
            self._end(child)
        if at_fault is None:
            self._pause_until_s = self._clock() + self._next_pause_s
            self._next_pause_s = min(2 * self._next_pause_s, LONGEST_PAUSE_S)
        return Answer(tuple(found), at_fault, self._fault)

    def _is_jobs_fault(self, child: subprocess.Popen[bytes]) -> bool:
        with suppress(subprocess.TimeoutExpired):
            # Whoever else killed it, a person or the kernel, had other reasons.
            return child.wait(_EXIT_S) != -signal.SIGKILL
        return _cpu_s(child.pid) - self._cpu_s > _BUSY * self._silent_s

    def _end(self, child: subprocess.Popen[bytes]) -> None:
        child.kill()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        try:
            child.wait(_DEATH_S)
        except subprocess.TimeoutExpired:
            self._stuck = child

    def _start(self) -> subprocess.Popen[bytes]:
        # A child stuck in the kernel must not keep open a terminal or pipe that others read.
        child = subprocess.Popen(
            [*self._argv, str(os.getpid()), str(IDLE_S)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
            bufsize=0,
        )
        os.set_blocking(_number(child.stdin), False)
        self._waiting = b""
        return child

    def _send(self, child: subprocess.Popen[bytes], data: bytes) -> None:
        requests = _number(child.stdin)
        while data:
            if not select.select([], [requests], [], self._silent_s)[1]:
                raise TimeoutError(self._silence())
            with suppress(BlockingIOError):
                data = data[os.write(requests, data) :]

    def _line(self, child: subprocess.Popen[bytes]) -> bytes:
        answers, until_s = _number(child.stdout), time.monotonic() + self._silent_s
        self._cpu_s = _cpu_s(child.pid)
        while b"\n" not in self._waiting:
            left_s = max(0.0, until_s - time.monotonic())
            if not select.select([answers], [], [], left_s)[0]:
                raise TimeoutError(self._silence())
            piece = os.read(answers, _PIECE_BYTES)
            if not piece:
                raise BrokenPipeError("it ended")
            self._waiting += piece
        line, _, self._waiting = self._waiting.partition(b"\n")
        return line

    def _silence(self) -> str:
        return f"it did not answer for {self._silent_s:g} s"


def _number(pipe: object) -> int:
    if not hasattr(pipe, "fileno"):
        raise AssertionError("the child has pipes")
    return int(pipe.fileno())


def _cpu_s(pid: int) -> float:
    """Return how many seconds of CPU a process has used; see proc_pid_stat(5)."""
    line = procfs.read(f"/proc/{pid}/stat")
    if line is None:
        return 0.0
    fields = line[line.rindex(b")") + 2 :].split()
    return sum(map(int, fields[11:13])) / TICKS_PER_S
