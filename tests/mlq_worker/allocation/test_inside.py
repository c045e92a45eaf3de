"""The least of all that limits a resource is offered."""

from __future__ import annotations

from mlq_worker.allocation.ending import Told
from mlq_worker.allocation.inside import inside
from mlq_worker.allocation.systems import Allocation


def test_the_least_counts() -> None:
    granted = Allocation("pbs", "1", cores=8, mem_mib=4096, visible_gpus="0,1")
    found = inside(granted, Told(cores=4, mem_mib=8192), quota_cores=6, for_s=None)
    assert (found.cores, found.mem_mib, found.gpus) == (4, 4096, "0,1")


def test_what_nobody_told_is_no_limit() -> None:
    found = inside(Allocation("condor", "1.0"), Told(), quota_cores=None, for_s=60.0)
    assert (found.cores, found.mem_mib, found.gpus, found.for_s) == (None, None, "none", 60.0)
    assert found.words == "inside HTCondor job 1.0"
