"""One look at the desk: counters of keyboards and mice, text consoles, and whose session is shown.

The edge of `desk`: it reads files and asks libsystemd, and concludes nothing. It may be called in
the thread that holds the supervisor's clock: all files are the kernel's or in memory, none can
hang, and nothing raises. Times of /dev/input, which never move, are not read.
"""

from __future__ import annotations

import os

from mlq_worker.guest.counters import InputCounters
from mlq_worker.guest.desk import DeskLook
from mlq_worker.guest.seat import Logind, logind

_CONSOLES = tuple(f"tty{number}" for number in range(1, 64))


class DeskReader:
    """Looks at the desk of this machine.

    Args:
        proc, sys, dev: where procfs, sysfs and the devices are.
        seat: what the seat is asked through; None: libsystemd.
    """

    def __init__(
        self,
        proc: str = "/proc",
        sys: str = "/sys",
        dev: str = "/dev",
        *,
        seat: Logind | None = None,
    ) -> None:
        self._counters = InputCounters(proc, sys)
        self._consoles = [(name, f"{dev}/{name}") for name in _CONSOLES]
        self._seat = seat or logind()

    def look(self, at: float) -> DeskLook:
        """Look once.

        Args:
            at: boot time in s.
        """
        counters = self._counters.read(at)
        seat = self._seat.seat()
        consoles = {}
        for name, path in self._consoles:
            try:
                consoles[name] = os.stat(path).st_atime  # noqa: PTH116 - 63 of them, each second
            except OSError:
                continue
        return DeskLook(counters.values, consoles, seat.exists, seat.active, counters.hidden)

    def close(self) -> None:
        """Close all files."""
        self._counters.close()
