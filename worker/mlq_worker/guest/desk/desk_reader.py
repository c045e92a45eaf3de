"""One look at the desk: counters of keyboards and mice, text consoles, and whose session is shown.

The edge of `desk`: it reads files and asks libsystemd, and concludes nothing. It may be called in
the thread that holds the supervisor's clock: all files are the kernel's or in memory, none can
hang, and nothing raises. Times of /dev/input, which never move, are not read.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from mlq_worker.guest.desk.counters import InputCounters
from mlq_worker.guest.desk.desk import DeskLook
from mlq_worker.guest.desk.seat import Logind, logind

ALL_CONSOLES_S = 10.0
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
        self._consoles = _Consoles(sys, dev)
        self._seat = seat or logind()

    def look(self, at: float) -> DeskLook:
        """Look once.

        Args:
            at: boot time in s.
        """
        counters = self._counters.read(at)
        seat = self._seat.seat()
        consoles = self._consoles.read(at)
        return DeskLook(counters.values, consoles, seat.exists, seat.active, counters.hidden)

    def close(self) -> None:
        """Close all files."""
        self._counters.close()
        self._consoles.close()


class _Consoles:
    """Reads when each text console was last read.

    Keys go to the one in front: that one is looked at each time, all others every ten seconds.
    """

    def __init__(self, sys: str, dev: str) -> None:
        self._front_file = f"{sys}/class/tty/tty0/active"
        self._dev = dev
        self._file: int | None = None
        self._front = ""
        self._read_at: dict[str, float] = {}
        self._all_at: float | None = None

    def read(self, at: float) -> dict[str, float]:
        """Return, by console, when it was last read, in s of UTC."""
        front = self._in_front()
        if not front or self._all_at is None or not 0 <= at - self._all_at < ALL_CONSOLES_S:
            self._look_at(_CONSOLES)
            self._all_at = at
        else:
            self._look_at({front, self._front})
        self._front = front
        return dict(self._read_at)

    def close(self) -> None:
        """Close the file that names the console in front."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _in_front(self) -> str:
        try:
            if self._file is None:
                self._file = os.open(self._front_file, os.O_RDONLY | os.O_CLOEXEC)
            return os.pread(self._file, 64, 0).decode("ascii", "replace").strip()
        except OSError:
            return ""

    def _look_at(self, names: Iterable[str]) -> None:
        for name in names:
            if name in _CONSOLES:
                try:
                    self._read_at[name] = os.stat(f"{self._dev}/{name}").st_atime  # noqa: PTH116 - often
                except OSError:
                    self._read_at.pop(name, None)
