"""What a job's cgroup tells of its end."""

from __future__ import annotations

from typing import Any

import pytest

from mlq.jobs.attempt import AttemptId
from mlq_worker.guest.memory.cgroups import Usage
from mlq_worker.ipc.shortage import Shortage
from mlq_worker.ipc.values import Result
from mlq_worker.launcher.kept_limit import with_usage


def result(outcome: Any = "signaled", exit_code: int | None = None) -> Result:
    end = ("lab01", "boot", outcome, exit_code, None, "killed by SIGKILL", "at", "at")
    return Result(AttemptId("7", 1), *end, cpu_s=0.0, max_rss_mib=8)


def test_whom_the_kernel_killed_at_its_limit_has_overstepped() -> None:
    end = with_usage(result(), Usage(8192, 4, 8192))
    assert (end.outcome, end.reason) == (
        "overstepped",
        "took 8G of the 8G of memory it asked for",
    )
    assert end.shortage == Shortage(of_gpu=False, used_mib=8192, killed=True)
    assert end.mem_peak_mib == 8192
    assert end.cause.kind == "oom_own"
    assert with_usage(result("exited", 137), Usage(None, 1, 100)).outcome == "overstepped"


@pytest.mark.parametrize(
    ("before", "usage"),
    [
        (result(), Usage(100, 0, 8192)),
        (result(), Usage(100, 1, None)),  # killed for want of the machine's memory
        (result("exited", 0), Usage(8192, 1, 8192)),  # it got over the death of a child
        (result("lost"), Usage(8192, 1, 8192)),
    ],
)
def test_any_other_end_stays_as_it_is(before: Result, usage: Usage) -> None:
    end = with_usage(before, usage)
    assert (end.outcome, end.reason, end.shortage) == (before.outcome, before.reason, None)
    assert end.mem_peak_mib == usage.peak_mib


def test_without_a_cgroup_nothing_is_known() -> None:
    assert with_usage(result(), None) == result()
