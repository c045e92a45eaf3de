"""What a worker inside an allocation may offer, and for how long: pure.

Of the numbers that limit a resource the least counts: what is granted by a variable may be confined
further by a quota, and what a quota allows may be more than was granted.
"""

from __future__ import annotations

from typing import NamedTuple

from mlq_worker.allocation.ending import Told
from mlq_worker.allocation.systems import Allocation
from mlq_worker.allocation.visible_gpus import visible


class Inside(NamedTuple):
    """A worker's place in an allocation.

    Args:
        allocation: as the process was told of it.
        cores: how many it may offer beside what the affinity says; None: no limit is known.
        mem_mib: how much memory was granted; None: the limits of the cgroups alone count.
        gpus: as `mlq worker start --gpus` takes it.
        no_gpus_because: why granted GPUs cannot be offered; "" if they can, or none are granted.
        for_s: how long the worker may stay, from its start, whatever the system says; None: as long
            as the allocation lasts.
        first: what the system said at the start.
    """

    allocation: Allocation
    cores: int | None = None
    mem_mib: int | None = None
    gpus: str = "none"
    no_gpus_because: str = ""
    for_s: float | None = None
    first: Told = Told()

    @property
    def words(self) -> str:
        """Which allocation it is, for people."""
        return f"inside {self.allocation.words}"


def inside(
    allocation: Allocation, told: Told, quota_cores: int | None, for_s: float | None
) -> Inside:
    """Return what a worker may offer.

    Args:
        allocation: as the process is told of it.
        told: what its system says when it is asked.
        quota_cores: how many cores the quotas of the cgroups allow; None: there are none.
        for_s: how long the worker may stay at most; None: no limit.
    """
    gpus = visible(allocation.visible_gpus)
    return Inside(
        allocation,
        _least(allocation.cores, told.cores, quota_cores),
        _least(allocation.mem_mib, told.mem_mib),
        gpus.selection,
        gpus.reason,
        for_s,
        told,
    )


def _least(*amounts: int | None) -> int | None:
    return min((one for one in amounts if one is not None), default=None)
