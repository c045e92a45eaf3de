"""How many processes the kernel has killed for want of memory, and when that was seen to rise.

It counts them for our cgroup, with those below it, and for the whole machine; a job may have a
cgroup of its own elsewhere. Both are read, once a second while jobs run and when one ends. A kernel
that does not count (before 4.13) is never said to have killed.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from pathlib import Path

_COUNT = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)
_REMEMBERED = 64


class KernelKills:
    """The counts of one machine; used by one thread.

    Args:
        clock: seconds of boot time.
        proc: where procfs is.
        cgroups: where cgroup file systems are mounted.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        proc: Path = Path("/proc"),
        cgroups: Path = Path("/sys/fs/cgroup"),
    ) -> None:
        self._clock = clock
        self._files = [proc / "vmstat", *_own_cgroup(proc, cgroups)]
        self._counts: dict[Path, int] = {}
        self._rises: deque[float] = deque(maxlen=_REMEMBERED)
        self.look()

    def look(self) -> None:
        """Read the counts."""
        for path in self._files:
            count = _count(path)
            if count > self._counts.get(path, count):
                self._rises.append(self._clock())
            self._counts[path] = count

    def since(self, at: float) -> bool:
        """Return whether a count rose after this boot time, now included."""
        self.look()
        return any(one >= at for one in self._rises)


def _own_cgroup(proc: Path, cgroups: Path) -> list[Path]:
    try:
        lines = (proc / "self/cgroup").read_text().splitlines()
    except (OSError, ValueError):
        return []
    found = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            mounts = (cgroups, cgroups / "unified")
            found += [one / path.lstrip("/") / "memory.events" for one in mounts]
        elif "memory" in controllers.split(","):
            found.append(cgroups / "memory" / path.lstrip("/") / "memory.oom_control")
    return [one for one in found if one.exists()]


def _count(path: Path) -> int:
    try:
        match = _COUNT.search(path.read_text())
    except (OSError, ValueError):
        return 0
    return int(match[1]) if match else 0
