"""How much of the CPU our cgroups let us use: the quota, in version 1 and 2.

A batch system or a container that grants 4 cores of 64 may do so by a quota: then the affinity
shows 64, and 64 processes would share 4. Invariant: a quota that can be read is obeyed, also one of
a cgroup above ours; files that are not there are no quota.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from mlq_worker.probes.cgroup_memory import CGROUPS
from mlq_worker.probes.process_table import PROC


def quota_cores(proc: Path = PROC, cgroups: Path = CGROUPS) -> int | None:
    """Return how many whole cores the quotas allow, at least 1; None if there is no quota.

    Args:
        proc: where procfs is.
        cgroups: where the file systems of cgroups are mounted.
    """
    shares = [share for share in _shares(proc, cgroups) if share > 0]
    return max(1, int(min(shares))) if shares else None


def _shares(proc: Path, cgroups: Path) -> Iterator[float]:
    try:
        lines = (proc / "self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        number, controllers, path = line.split(":", 2)
        below = Path(path.lstrip("/"))
        for folder in (below, *below.parents):
            if number == "0":
                for mount in (cgroups, cgroups / "unified"):
                    yield from _version_2(mount / folder)
            elif "cpu" in controllers.split(","):
                for name in ("cpu", controllers):  # one mount, one link to it, or both
                    yield from _version_1(cgroups / name / folder)


def _version_2(folder: Path) -> Iterator[float]:
    with suppress(OSError, ValueError, ZeroDivisionError):  # not there, or "max"
        quota, period = (folder / "cpu.max").read_text().split()
        yield int(quota) / int(period)


def _version_1(folder: Path) -> Iterator[float]:
    with suppress(OSError, ValueError, ZeroDivisionError):  # -1: no quota
        quota = int((folder / "cpu.cfs_quota_us").read_text())
        yield quota / int((folder / "cpu.cfs_period_us").read_text())
