"""How much of the machine's memory our cgroups leave us.

systemd gives each user a slice, each session and each unit a cgroup below it, and a container has
its own; any of them may have a limit, and the smallest counts: above it the kernel kills, whatever
MemAvailable says. Invariant: a limit that can be read is obeyed, in version 1 of cgroups as in 2;
files that are not there are no limit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from mlq_worker.probes.process_table import PROC

CGROUPS = Path("/sys/fs/cgroup")


class Room(NamedTuple):
    """How much a cgroup may hold, and how much more it can take."""

    limit_mib: int
    free_mib: int


class _Version(NamedTuple):
    limits: tuple[str, ...]
    current: str
    droppable: tuple[str, ...]  # of memory.stat: what the kernel drops before it kills


# Above memory.high the kernel does not kill, but slows down until the memory is given back.
_V2 = _Version(("memory.max", "memory.high"), "memory.current", ("inactive_file", "active_file"))
_V1 = _Version(
    ("memory.limit_in_bytes",),
    "memory.usage_in_bytes",
    ("total_inactive_file", "total_active_file"),
)


def rooms(proc: Path = PROC, cgroups: Path = CGROUPS) -> list[Room]:
    """Return the room in each cgroup with a limit, from our own up to the root.

    Args:
        proc: where procfs is.
        cgroups: where the file systems of cgroups are mounted.
    """
    found = (_room(folder, version) for folder, version in _path(proc, cgroups))
    return [room for room in found if room is not None]


def _path(proc: Path, cgroups: Path) -> Iterator[tuple[Path, _Version]]:
    """Yield the folders of our cgroups; in a container that sees others' paths, only those it has.

    The lines of cgroups(7): `0::/path` in version 2, `4:memory:/path` in version 1.
    """
    try:
        lines = (proc / "self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        number, controllers, path = line.split(":", 2)
        if number == "0":
            mounts, version = [cgroups, cgroups / "unified"], _V2
        elif "memory" in controllers.split(","):
            mounts, version = [cgroups / "memory"], _V1
        else:
            continue
        below = Path(path.lstrip("/"))
        for mount in mounts:
            for one in (below, *below.parents):
                yield mount / one, version


def _room(folder: Path, version: _Version) -> Room | None:
    limits = []
    for name in version.limits:
        with suppress(OSError, ValueError):  # not there, or "max"
            limits.append(int((folder / name).read_text()))
    if not limits:
        return None
    try:
        used = int((folder / version.current).read_text())
        stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        used -= sum(int(stat.get(name, 0)) for name in version.droppable)
    except (OSError, ValueError):
        used = 0
    limit = min(limits)
    return Room(limit // 2**20, max(0, limit - max(0, used)) // 2**20)
