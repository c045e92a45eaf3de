"""What a job's cgroup tells of its end: pure.

The kernel kills a job in a cgroup of its own that reaches its limit. Nobody else could have taken
that memory, so the job has overstepped.
"""

from __future__ import annotations

from dataclasses import replace

from mlq_worker.guest.memory.cgroups import Usage
from mlq_worker.guest.memory.limits import reason
from mlq_worker.ipc.causes import Cause, Kind
from mlq_worker.ipc.shortage import Shortage
from mlq_worker.ipc.values import Result, has_ended_by_itself


def with_usage(result: Result, usage: Usage | None) -> Result:
    """Return the result of an attempt with what its cgroup counted."""
    if usage is None:
        return result
    result = replace(result, mem_peak_mib=usage.peak_mib)
    failed = has_ended_by_itself(result) and result.exit_code != 0
    if not usage.kills or usage.limit_mib is None or not failed:
        return result
    held_mib = max(usage.limit_mib, usage.peak_mib or 0)
    shortage = Shortage(of_gpu=False, used_mib=held_mib, killed=True)
    said = reason(usage.limit_mib, held_mib)
    return overstepped(replace(result, reason=said, shortage=shortage))


def overstepped(result: Result) -> Result:
    """Return the result of an attempt that took more memory than it asked for."""
    return replace(result, outcome="overstepped", cause=Cause(Kind.OOM_OWN))
