"""How much memory others use: told to a user whose job the kernel killed for want of it."""

from __future__ import annotations

from pathlib import Path

from mlq_worker.probes.memory import MemoryProbe
from mlq_worker.probes.process_table import PROC, scan


def others_mib(launcher_pid: int, proc: Path = PROC) -> int:
    """Return the used memory that belongs to no job of this launcher; 0 if that is not known.

    What was just killed has given its memory back by then.

    Args:
        launcher_pid: all jobs are below it.
        proc: where procfs is.
    """
    try:
        table = scan(proc)
        report = MemoryProbe(proc).read(0.0, table, [launcher_pid])
    except (OSError, ValueError, KeyError):
        return 0
    return max(0, report.total_mib - report.available_mib - report.used_by[launcher_pid])
