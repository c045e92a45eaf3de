"""The process that asks the NVIDIA driver: `python -P -m mlq_worker.probes.gpu_reader`.

A call into a broken driver may never return, and a process one of whose threads is stuck in the
kernel cannot end, not even by SIGKILL, and keeps its locks. So no process of ours but this one ever
calls NVML, and it holds nothing: `gpu_watch` starts it, writes a byte for each look it wants, and
can leave it behind. It ends with the worker that started it, or when that asked nothing for long.
"""

from __future__ import annotations

import ctypes
import dataclasses
import json
import os
import select
import signal
import sys

from mlq_worker.probes.nvml import GpuProbe

_PR_SET_PDEATHSIG = 1  # prctl(2)


def main(selection: str, parent_pid: int, idle_s: float) -> None:
    """Answer each byte that comes with a report, as a line of JSON."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:
        return  # it died before it could be asked for
    # A library that prints must not garble the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    probe = GpuProbe(selection)
    while select.select([0], [], [], idle_s)[0] and os.read(0, 1):
        answers.write(json.dumps(dataclasses.asdict(probe.read())) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
