"""From looks at the machine to samples of each attempt."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mlq.jobs.request import Request
from mlq_worker.agent.history import History
from mlq_worker.agent.local_attempt import LocalAttempt
from mlq_worker.agent.usage_sampler import UsageSampler
from mlq_worker.probes.cores import CoreReport
from mlq_worker.probes.machine import MachineReport
from mlq_worker.probes.memory import MemoryReport
from mlq_worker.probes.nvml import Gpu, GpuProcess, GpuReport

A = "GPU-a"


def local(job_id: str = "7", pid: int = 50, **changes: Any) -> LocalAttempt:
    fields: dict[str, Any] = {
        "attempt": (job_id, 1),
        "class_name": "p0.c1.m100.g0.v0",
        "request": Request(1, 100),
        "gpu_uuids": (),
        "history": History(),
        "prefetched": False,
        "started_s": 100.0,
        "time_limit_s": None,
        "leader_pid": pid,
    }
    return LocalAttempt(**{**fields, **changes})


def report(
    at_s: float, cpu_s: float = 0.0, mem_mib: int = 0, *gpus: Gpu, **owners: int
) -> MachineReport:
    return MachineReport(
        "lab01",
        "boot",
        CoreReport(8, 0.0),
        MemoryReport(1000, 1000, {50: mem_mib, 60: 0}),
        GpuReport(gpus),
        {int(pid[1:]): leader for pid, leader in owners.items()},
        {50: cpu_s, 60: 0.0},
        at_s,
    )


def gpu(*processes: GpuProcess, busy: float | None = None, **changes: Any) -> Gpu:
    return Gpu(A, 0, "NVIDIA A", 1000, 400, processes, busy=busy, **changes)


def test_a_sample_comes_when_its_span_is_over() -> None:
    sampler, job = UsageSampler(10.0), local()
    assert sampler.see(report(105, 20.0, 300), [job], 1000.0) == {}
    (sample,) = sampler.see(report(110, 35.0, 100), [job], 1005.0).values()
    assert (sample.at_s, sample.over_s, sample.cores, sample.mem_mib) == (1005, 10, 3.5, 300)
    assert sampler.see(report(110, 35.0, 100), [job], 1005.0) == {}, "the same look"
    (sample,) = sampler.see(report(120, 40.0, 100), [job], 1015.0).values()
    assert (sample.over_s, sample.cores, sample.mem_mib) == (10, 0.5, 100)


def test_of_an_adopted_attempt_only_what_it_uses_from_now_on_counts() -> None:
    sampler, job = UsageSampler(10.0), local(adopted=True)
    sampler.see(report(500, 9000.0), [job], 0.0)
    (sample,) = sampler.see(report(510, 9010.0), [job], 0.0).values()
    assert (sample.over_s, sample.cores) == (10, 1.0)


def test_what_its_threads_waited_for_unless_it_is_held_back() -> None:
    sampler, job = UsageSampler(10.0), local()
    waited = replace(report(110, 10.0), waited_s={50: 25.0})
    (sample,) = sampler.see(waited, [job], 0.0).values()
    assert sample.waited == 2.5
    later = replace(report(115, 15.0), waited_s={50: 40.0})
    sampler.see(later, [replace(job, restraint="squeezed to 1 of 2 cores")], 0.0)
    (sample,) = sampler.see(replace(report(120, 20.0), waited_s={50: 50.0}), [job], 0.0).values()
    assert sample.waited is None
    (sample,) = sampler.see(replace(report(130, 30.0), waited_s={50: 60.0}), [job], 0.0).values()
    assert sample.waited == 1.0


def test_the_rest_is_sampled_at_its_end() -> None:
    sampler, job = UsageSampler(10.0), local()
    sampler.see(report(103, 6.0, 200), [job], 0.0)
    sample = sampler.ended(job.attempt, 1004.0)
    assert sample is not None
    assert (sample.over_s, sample.cores, sample.mem_mib) == (3, 2.0, 200)
    assert sampler.ended(job.attempt, 1004.0) is None
    assert sampler.ended(("8", 1), 1004.0) is None


def test_on_a_gpu_its_own_processes_count() -> None:
    other = GpuProcess(99, 500, busy=0.9)
    shared = gpu(GpuProcess(51, 100, busy=0.25), GpuProcess(52, 50, busy=0.5), other, busy=1.0)
    seen = report(110, 0.0, 0, shared, p51=50, p52=50)
    (sample,) = UsageSampler().see(seen, [local(gpu_uuids=(A,))], 0.0).values()
    assert (sample.vram_mib, sample.gpu) == (150, 0.75)


def test_where_the_driver_does_not_tell_processes_apart_an_attempt_alone_has_it_all() -> None:
    silent = gpu(GpuProcess(51, None), busy=0.5)
    seen = report(110, 0.0, 0, silent, p51=50)
    job = local(gpu_uuids=(A,))
    (sample,) = UsageSampler().see(seen, [job], 0.0).values()
    assert (sample.vram_mib, sample.gpu) == (600, 0.5)
    both = UsageSampler().see(seen, [job, local("8", 60, gpu_uuids=(A,))], 0.0)
    assert [(one.vram_mib, one.gpu) for one in both.values()] == [(None, None), (None, None)]


def test_a_gpu_that_nothing_is_on_holds_nothing() -> None:
    job = local(gpu_uuids=(A,))
    (sample,) = UsageSampler().see(report(110, 0, 0, gpu(busy=0.0)), [job], 0.0).values()
    assert (sample.vram_mib, sample.gpu) == (0, 0.0)
    (sample,) = UsageSampler().see(report(110, 0, 0), [job], 0.0).values()
    assert (sample.vram_mib, sample.gpu) == (None, None)
