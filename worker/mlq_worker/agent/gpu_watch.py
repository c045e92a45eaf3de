"""Reads the GPUs through another process, so that a driver that hangs does not stop the worker.

A child asks NVML (`gpu_reader`), and a background reader waits for it; the worker waits only a
moment. Invariant: the worker offers the GPUs that the driver reports now. While the driver does not
answer, the worker offers none and says why; they come back with its next answer. There is never
more than one child: one that is stuck in the kernel is killed, and the next starts once it is gone.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from mlq.units import format_duration
from mlq_worker.agent.background import BackgroundReader
from mlq_worker.probes.nvml import REOPEN_S, Gpu, GpuProcess, GpuReport, GpuSelection

PATIENCE_S = 1.0  # a driver that works answers within milliseconds
FIRST_PATIENCE_S = 10.0  # it may have to wake each GPU first
KILL_AFTER_S = 60.0  # this cures a hang in the library itself, not one in the kernel
IDLE_S = 60.0  # a worker asks every few seconds
SILENT = "the NVIDIA driver has not answered for {}"
_READER = (sys.executable, "-P", "-m", "mlq_worker.probes.gpu_reader")


class GpuWatch:
    """Reads the GPUs through a child process.

    Args:
        selection: `all`, `none`, or indices and UUIDs with commas between them.
        clock: monotonic seconds.
        patience_s: how long a look waits for its answer; the first one `FIRST_PATIENCE_S`.
        idle_s: a child ends when it was not asked for this long.

    Raises:
        InvalidInputError: the selection cannot be understood.
    """

    def __init__(
        self,
        selection: str = "all",
        *,
        clock: Callable[[], float] = time.monotonic,
        patience_s: float = PATIENCE_S,
        idle_s: float = IDLE_S,
    ) -> None:
        self._is_off = GpuSelection.parse(selection).chosen == frozenset()
        self._clock, self._patience_s = clock, patience_s
        self._next_patience_s = max(patience_s, FIRST_PATIENCE_S)
        self._gpu_child = _GpuChild((*_READER, selection, str(os.getpid()), str(idle_s)), clock)
        self._answered = threading.Event()
        self._reader: BackgroundReader[GpuReport] | None = None
        self._asked_s = 0.0

    @property
    def is_stuck(self) -> bool:
        """Whether the driver has not answered the last question."""
        return self._reader is not None and self._reader.busy

    def read(self) -> GpuReport:
        """Look at the GPUs; wait a moment at most, and never raise for a fault of theirs."""
        if self._is_off:
            return GpuReport()
        if self._reader is None:
            self._reader = BackgroundReader("gpus", self._answered.set)
        self._reader.answer()  # drop the answer to an abandoned question: it is out of date
        self._answered.clear()
        if self._reader.ask(self._gpu_child.ask):
            self._asked_s = self._clock()
            self._answered.wait(self._next_patience_s)
            self._next_patience_s = self._patience_s
        report = self._reader.answer()
        if report is not None:
            return report
        silence = format_duration(max(1, round(self._clock() - self._asked_s)))
        return GpuReport(fault=SILENT.format(silence))


class _GpuChild:
    """The child; used by the background thread only."""

    def __init__(self, argv: Sequence[str], clock: Callable[[], float]) -> None:
        self._argv, self._clock = argv, clock
        self._child: subprocess.Popen[bytes] | None = None
        self._pause_until_s = float("-inf")
        self._last = GpuReport()

    def ask(self) -> GpuReport:
        """Return what the child says; start it if there is none."""
        if self._child is None and self._clock() < self._pause_until_s:
            return self._last
        try:
            self._last = self._asked() or self._asked() or self._lost()
        except OSError as error:
            self._last = self._failed(f"the NVIDIA driver cannot be asked: {error.strerror}")
        return self._last

    def _asked(self) -> GpuReport | None:
        """Ask once; None if the child has ended of itself, as it does when idle for long."""
        child = self._child = self._child or self._start()
        if child.stdin is None or child.stdout is None:
            raise AssertionError("the child has pipes")
        hangs, line = False, b""
        with suppress(BrokenPipeError):
            os.write(child.stdin.fileno(), b"?")
            hangs = not select.select([child.stdout], [], [], KILL_AFTER_S)[0]
            if hangs:
                child.kill()
            line = child.stdout.readline()
        if line.endswith(b"\n"):
            return report_from_json(line)
        self._child = None
        with child:
            code = child.wait()
        if hangs:
            return self._failed(SILENT.format(format_duration(KILL_AFTER_S)))
        return None if code == 0 else self._failed(f"asking the NVIDIA driver ended: {_how(code)}")

    def _start(self) -> subprocess.Popen[bytes]:
        # A child stuck in the kernel must not keep open a terminal or pipe that others read.
        return subprocess.Popen(
            self._argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )

    def _lost(self) -> GpuReport:
        return self._failed("asking the NVIDIA driver ended without an answer")

    def _failed(self, fault: str) -> GpuReport:
        """Report a fault; start the next child only after a pause."""
        self._pause_until_s = self._clock() + REOPEN_S
        return GpuReport(fault=fault)


def _how(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit {code}"


def report_from_json(line: str | bytes) -> GpuReport:
    """Read what `gpu_reader` wrote."""
    fields = json.loads(line)
    gpus = tuple(
        Gpu(**{**gpu, "processes": tuple(GpuProcess(**one) for one in gpu["processes"])})
        for gpu in fields.pop("gpus")
    )
    return GpuReport(gpus, **fields)
