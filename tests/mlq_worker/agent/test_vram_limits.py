"""Attempts that take more GPU memory than they asked for, in looks at the machine."""

from __future__ import annotations

from typing import Any

from mlq.jobs.request import Request
from mlq_worker.agent.history import History
from mlq_worker.agent.local_attempt import LocalAttempt
from mlq_worker.agent.vram_limits import Overstep, VramLimits
from mlq_worker.ipc.shortage import Shortage
from mlq_worker.probes.cores import CoreReport
from mlq_worker.probes.machine import MachineReport
from mlq_worker.probes.memory import MemoryReport
from mlq_worker.probes.nvml import Gpu, GpuProcess, GpuReport

A, B = "GPU-a", "GPU-b"
OWNERS = {51: 50, 52: 50, 61: 60}


def local(job_id: str = "7", pid: int = 50, vram_mib: int = 6144, **changes: Any) -> LocalAttempt:
    fields: dict[str, Any] = {
        "attempt": (job_id, 1),
        "class_name": "",
        "request": Request(1, 100, 1, vram_mib),
        "gpu_uuids": (A,),
        "history": History(),
        "prefetched": False,
        "started_s": 100.0,
        "time_limit_s": None,
        "leader_pid": pid,
    }
    return LocalAttempt(**{**fields, **changes})


def report(at_s: float, *gpus: Gpu) -> MachineReport:
    memory = MemoryReport(1000, 1000)
    return MachineReport(
        "lab01", "boot", CoreReport(8, 0.0), memory, GpuReport(gpus), OWNERS, {}, at_s
    )


def gpu(uuid: str = A, **used_mib: int | None) -> Gpu:
    processes = tuple(GpuProcess(int(pid[1:]), mib) for pid, mib in used_mib.items())
    return Gpu(uuid, 0, "NVIDIA A", 11264, 0, processes)


def test_over_in_two_looks() -> None:
    limits = VramLimits()
    assert limits.see(report(1, gpu(p51=5000, p52=2475)), [local()]) == {}
    assert limits.see(report(1, gpu(p51=5000, p52=2475)), [local()]) == {}, "the same look"
    assert limits.see(report(2, gpu(p51=5000, p52=2475)), [local()]) == {
        ("7", 1): Overstep(
            "took 7.3G of the 6G of GPU memory it asked for", Shortage(of_gpu=True, used_mib=7475)
        )
    }
    assert limits.see(report(3, gpu(p51=5000)), [local()]) == {}


def test_over_in_every_other_look_is_no_reason() -> None:
    limits = VramLimits()
    for at_s, mib in enumerate([9000, 6000] * 3, start=1):
        assert limits.see(report(at_s, gpu(p51=mib)), [local()]) == {}


def test_its_neighbour_and_other_people_are_not_its_fault() -> None:
    limits = VramLimits()
    for at_s in (1, 2, 3):
        seen = limits.see(report(at_s, gpu(p51=3000, p61=8000, p99=9000)), [local()])
        assert seen == {}
    other = local("8", 60)
    limits.see(report(4, gpu(p61=8000)), [local(), other])
    assert limits.see(report(5, gpu(p61=8000)), [local(), other]).keys() == {("8", 1)}


def test_each_gpu_has_its_own_limit() -> None:
    limits, job = VramLimits(), local(gpu_uuids=(A, B))
    for at_s in (1, 2):
        assert limits.see(report(at_s, gpu(A, p51=4000), gpu(B, p51=4000)), [job]) == {}
    for at_s in (3, 4):
        seen = limits.see(report(at_s, gpu(A, p51=4000), gpu(B, p51=8000)), [job])
    assert seen.keys() == {("7", 1)}
    for at_s in (5, 6):  # a process of its own on a GPU that it was not given
        seen = limits.see(report(at_s, gpu(B, p51=8000)), [local()])
    assert seen == {}


def test_where_the_driver_does_not_tell_nothing_ends() -> None:
    limits = VramLimits()
    for at_s in (1, 2):
        assert limits.see(report(at_s, gpu(p51=None)), [local()]) == {}
    for at_s in (3, 4):
        assert limits.see(report(at_s), [local()]) == {}


def test_who_has_its_gpus_to_itself_has_no_limit() -> None:
    limits = VramLimits()
    for at_s in (1, 2):
        assert limits.see(report(at_s, gpu(p51=11000)), [local(vram_mib=0)]) == {}
        assert limits.see(report(at_s, gpu(p51=11000)), [local(pid=0)]) == {}
