"""What is free for our jobs: examples, laws that hold for every machine, and one whole look."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from fake_nvml import FakeGpu, FakeNvml, FakeProcess, ProbeProcess
from fake_proc import FakeProc
from hypothesis import given
from hypothesis import strategies as st

from mlq.jobs.placement import Fit, GpuOffer, Misfit, Offer, place
from mlq.jobs.request import Request
from mlq_worker.ipc.clock import boot_id
from mlq_worker.probes.cores import TICKS_PER_S, CoreReport
from mlq_worker.probes.machine import (
    Limits,
    MachineProbe,
    MachineReport,
    Promise,
    free_for_us,
)
from mlq_worker.probes.memory import MemoryReport
from mlq_worker.probes.nvml import Gpu, GpuProbe, GpuProcess, GpuReport

GPU = Gpu("GPU-aaaa", 0, "NVIDIA GeForce RTX 2080 Ti", total_mib=11000, free_mib=11000)


def machine(
    *gpus: Gpu, load: float = 0.0, used_by: dict[int, int] | None = None, available_mib: int = 60000
) -> MachineReport:
    leaders = {pid for gpu in gpus for pid in (one.pid for one in gpu.processes) if pid < 1000}
    return MachineReport(
        machine="lab01",
        boot_id="b",
        cores=CoreReport(total=8, foreign_load=load),
        memory=MemoryReport(64000, available_mib, used_by or {}),
        gpus=GpuReport(gpus),
        gpu_owners={pid: pid for pid in leaders},
    )


def gpu_with(free_mib: int, *processes: tuple[int, int | None]) -> Gpu:
    return replace(GPU, free_mib=free_mib, processes=tuple(GpuProcess(*one) for one in processes))


def test_memory_that_was_taken_between_two_questions_is_not_free() -> None:
    """The driver said that all is free, and then that our process uses most of it."""
    gpu = replace(GPU, free_mib=GPU.total_mib, processes=(GpuProcess(300, 6000),))
    promise = Promise((300,), 1, 0, (GPU.uuid,), 6000)
    (offer,) = free_for_us(machine(gpu), [promise], Limits()).gpus
    assert offer.free_mib == GPU.total_mib - 6000


def test_an_idle_machine_offers_everything() -> None:
    assert free_for_us(machine(GPU), [], Limits()) == Offer(
        machine="lab01",
        cores=8,
        mem_mib=60000,
        gpus=(GpuOffer(GPU.uuid, GPU.name, 11000, 11000),),
        total_cores=8,
        total_mem_mib=64000,
    )


@pytest.mark.parametrize(
    ("load", "limits", "cores"),
    [
        (0.4, Limits(), 6),
        (1.6, Limits(), 4),
        (1.6, Limits(yield_to_others=False), 6),
        (1.6, Limits(cores=4), 2),
        (6.0, Limits(cores=4), 0),
        (0.0, Limits(cores=99), 6),
        (8.0, Limits(), 0),
        (0.2, Limits(reserve_cores=1), 6),
        (0.4, Limits(reserve_cores=1), 5),
        (0.0, Limits(reserve_cores=1, is_anybody=True), 5),
        (1.6, Limits(reserve_cores=2), 2),
        (1.6, Limits(reserve_cores=2, yield_to_others=False), 6),
    ],
)
def test_cores_leave_room_for_others_and_for_promises(
    load: float, limits: Limits, cores: int
) -> None:
    assert free_for_us(machine(load=load), [Promise((), 2, 0)], limits).cores == cores


@pytest.mark.parametrize(("own_load", "cores"), [(0.0, 4), (0.4, 4), (0.8, 5), (1.0, 5)])
def test_who_runs_mlq_needs_no_reserve(own_load: float, cores: int) -> None:
    report = machine(load=1.0)
    report = replace(report, cores=replace(report.cores, own_load=own_load))
    assert free_for_us(report, [Promise((), 2, 0)], Limits(reserve_cores=1)).cores == cores


@pytest.mark.parametrize(
    ("used_mib", "limit_mib", "free_mib"),
    [
        (0, None, 50000),  # nothing of the promised 10000 is allocated: all of it is kept
        (4000, None, 54000),
        (10000, None, 60000),
        (12000, None, 60000),  # it took more than promised: what is available shows it
        (4000, 16000, 6000),
        (12000, 16000, 4000),
        (12000, 11000, 0),
    ],
)
def test_memory_promised_and_not_yet_used_is_kept(
    used_mib: int, limit_mib: int | None, free_mib: int
) -> None:
    report = machine(used_by={300: used_mib})
    offer = free_for_us(report, [Promise((300,), 1, 10000)], Limits(mem_mib=limit_mib))
    assert offer.mem_mib == free_mib


def test_the_reserve_of_memory_is_left_while_anybody_is_here() -> None:
    limits = Limits(reserve_mem_mib=2048)
    assert free_for_us(machine(), [], limits).mem_mib == 60_000
    limits = replace(limits, is_anybody=True)
    assert free_for_us(machine(), [], limits).mem_mib == 60_000 - 2048
    assert free_for_us(machine(), [], replace(limits, yield_to_others=False)).mem_mib == 60_000


def test_of_what_a_batch_system_granted_mlq_itself_takes_its_part() -> None:
    report = machine(used_by={300: 12000})
    report = replace(report, memory=replace(report.memory, own_mib=200))
    offer = free_for_us(report, [Promise((300,), 1, 10000)], Limits(granted_mib=16000))
    assert (offer.mem_mib, offer.total_mem_mib) == (3800, 16000)


@pytest.mark.parametrize(
    ("gpu", "free_mib"),
    [
        (gpu_with(11000), 5000),  # just started: nothing allocated yet
        (gpu_with(10000, (300, 1000)), 5000),
        (gpu_with(5000, (300, 6000)), 5000),
        (gpu_with(4000, (300, 7000)), 4000),  # more than promised
        (gpu_with(9000, (300, None)), 3000),  # the driver does not tell: the promise is kept whole
        (gpu_with(8000, (300, 1000), (5000, 2000)), 3000),  # 5000 is a neighbour
        (gpu_with(2000, (5000, 9000)), 0),
    ],
)
def test_vram_promised_and_not_yet_allocated_is_kept(gpu: Gpu, free_mib: int) -> None:
    promise = Promise((300,), 1, 0, (GPU.uuid,), 6000)
    assert free_for_us(machine(gpu), [promise], Limits()).gpus[0].free_mib == free_mib


@pytest.mark.parametrize("gpu", [gpu_with(11000), gpu_with(7000, (300, 4000))])
def test_a_gpu_that_a_job_has_to_itself_is_not_offered(gpu: Gpu) -> None:
    promise = Promise((300,), 1, 0, (GPU.uuid,), vram_mib=0)
    assert free_for_us(machine(gpu), [promise], Limits()).gpus[0].free_mib == 0


def test_where_no_processes_are_listed_each_promise_is_kept_whole() -> None:
    quiet = replace(gpu_with(8000), lists_processes=False)
    promise = Promise((300,), 1, 0, (GPU.uuid,), 3000)
    assert free_for_us(machine(quiet), [promise], Limits()).gpus[0].free_mib == 5000


@pytest.mark.parametrize(("free_mib", "offered_mib"), [(11000, 11000), (9800, 0)])
def test_an_exclusive_gpu_that_lists_no_processes_is_offered_while_nothing_is_on_it(
    free_mib: int, offered_mib: int
) -> None:
    gpu = replace(GPU, exclusive=True, lists_processes=False, free_mib=free_mib)
    assert free_for_us(machine(gpu), [], Limits()).gpus[0].free_mib == offered_mib


def test_a_gpu_without_memory_of_its_own_is_given_whole_to_one_job() -> None:
    shared = replace(GPU, total_mib=0, free_mib=0)
    offer = free_for_us(machine(shared), [], Limits())
    for request in (Request(gpus=1), Request(gpus=1, vram_mib=6000)):
        fit = place(request, offer)
        assert isinstance(fit, Fit)
        assert isinstance(place(request, offer.after(request, fit)), Misfit)
    assert isinstance(place(Request(gpus=1, vram_mib=65000), offer), Misfit)
    held = [Promise((300,), 1, 0, (GPU.uuid,), 6000)]
    desktop, neighbour = GpuProcess(5000, None, computes=False), GpuProcess(5001, None)
    for gpu, promises, free_mib in (
        (shared, held, 0),
        (replace(shared, processes=(desktop,)), [], 64000),
        (replace(shared, processes=(desktop, neighbour)), [], 0),
    ):
        offer = free_for_us(machine(gpu), promises, Limits())
        assert (offer.gpus[0].free_mib, offer.gpus[0].total_mib) == (free_mib, 64000)
        assert isinstance(place(Request(gpus=1), offer), Fit if free_mib else Misfit)


def test_a_promise_on_one_gpu_leaves_the_other_free() -> None:
    other = replace(GPU, uuid="GPU-bbbb", index=1)
    offer = free_for_us(machine(GPU, other), [Promise((), 1, 0, (GPU.uuid,), 6000)], Limits())
    assert [gpu.free_mib for gpu in offer.gpus] == [5000, 11000]


def test_small_jobs_share_a_gpu_before_and_while_they_allocate(tmp_path: Path) -> None:
    nvml = FakeNvml(tmp_path)
    gpu = FakeGpu("GPU-aaaa", total_mib=11264, reserved_mib=264)
    promises = [Promise((pid,), 1, 0, ("GPU-aaaa",), 3000) for pid in (300, 301, 302)]
    stages: list[list[FakeProcess]] = [
        [],
        [FakeProcess(0, 300, 2900)],
        [FakeProcess(0, 300, 3000), FakeProcess(0, 301, 1), FakeProcess(0, 302, 1500)],
    ]
    with ProbeProcess(nvml.env) as probe:
        for stage in stages:
            nvml.write(gpu, *stage)
            offer = free_for_us(machine(*probe.read().gpus), promises, Limits())
            assert offer.gpus[0].free_mib == 2000
        nvml.write(gpu, *stages[-1], FakeProcess(0, 5000, 1200))
        offer = free_for_us(machine(*probe.read().gpus), promises, Limits())
    assert offer.gpus[0].free_mib == 800, "a neighbour's growth leaves less, and breaks no promise"


MIB = st.integers(0, 12000)
PROMISES = st.lists(
    st.builds(
        Promise,
        leader_pids=st.sampled_from([(), (300,), (301,), (302, 303)]),
        cores=st.integers(0, 8),
        mem_mib=MIB,
        gpu_uuids=st.sampled_from([(), (GPU.uuid,)]),
        vram_mib=MIB,
    ),
    max_size=4,
)
REPORTS = st.builds(
    lambda load, used, available, free, processes: machine(
        gpu_with(free, *processes.items()), load=load, used_by=used, available_mib=available
    ),
    load=st.floats(0, 8),
    used=st.dictionaries(st.sampled_from([300, 301, 302, 303]), MIB),
    available=MIB,
    free=st.integers(0, 11000),
    processes=st.dictionaries(st.sampled_from([300, 302, 5000]), st.none() | MIB),
)
LIMITS = st.builds(
    Limits,
    cores=st.none() | st.integers(0, 16),
    mem_mib=st.none() | MIB,
    yield_to_others=st.booleans(),
)


def amounts(offer: Offer) -> list[int]:
    return [offer.cores, offer.mem_mib, *(gpu.free_mib for gpu in offer.gpus)]


@given(REPORTS, PROMISES, LIMITS)
def test_an_offer_is_never_negative_and_never_more_than_the_machine_has(
    report: MachineReport, promises: list[Promise], limits: Limits
) -> None:
    offer = free_for_us(report, promises, limits)
    assert min(amounts(offer)) >= 0
    assert offer.cores <= offer.total_cores <= report.cores.total
    assert offer.mem_mib <= min(offer.total_mem_mib, report.memory.available_mib)
    assert offer.gpus[0].free_mib <= report.gpus.gpus[0].free_mib


@given(REPORTS, PROMISES, LIMITS, PROMISES)
def test_another_promise_never_leaves_more(
    report: MachineReport, promises: list[Promise], limits: Limits, more: list[Promise]
) -> None:
    before = amounts(free_for_us(report, promises, limits))
    after = amounts(free_for_us(report, promises + more, limits))
    assert all(late <= early for early, late in zip(before, after, strict=True))


@given(REPORTS, PROMISES, LIMITS, st.floats(0, 8), MIB, MIB)
def test_a_neighbour_that_takes_more_never_leaves_us_more(
    report: MachineReport,
    promises: list[Promise],
    limits: Limits,
    load: float,
    mem_mib: int,
    vram_mib: int,
) -> None:
    memory, gpu = report.memory, report.gpus.gpus[0]
    worse = replace(
        report,
        cores=replace(report.cores, foreign_load=min(8.0, report.cores.foreign_load + load)),
        memory=replace(memory, available_mib=max(0, memory.available_mib - mem_mib)),
        gpus=GpuReport((replace(gpu, free_mib=max(0, gpu.free_mib - vram_mib)),)),
    )
    before = amounts(free_for_us(report, promises, limits))
    after = amounts(free_for_us(worse, promises, limits))
    assert all(late <= early for early, late in zip(before, after, strict=True))


@given(promised=st.integers(1, 11000), used=st.integers(0, 11000))
def test_a_job_that_uses_what_it_was_promised_changes_nothing_for_others(
    promised: int, used: int
) -> None:
    used = min(used, promised)
    promise = Promise((300,), 1, promised, (GPU.uuid,), promised)
    fresh = free_for_us(machine(GPU), [promise], Limits())
    report = machine(
        gpu_with(11000 - used, (300, used)), used_by={300: used}, available_mib=60000 - used
    )
    assert free_for_us(report, [promise], Limits()) == fresh


class OneGpu:
    """Stands in for pynvml: one GPU with a process of ours and one of a neighbour."""

    nvmlMemory_v2 = 0x02000028  # noqa: N815 - the library's name
    NVML_COMPUTEMODE_DEFAULT, NVML_COMPUTEMODE_EXCLUSIVE_THREAD = 0, 1
    NVML_COMPUTEMODE_PROHIBITED, NVML_COMPUTEMODE_EXCLUSIVE_PROCESS = 2, 3

    class NVMLError(Exception):
        pass

    class NVMLError_FunctionNotFound(NVMLError):  # noqa: N801, N818 - the library's name
        pass

    class NVMLError_NotSupported(NVMLError):  # noqa: N801, N818 - the library's name
        pass

    class Memory:
        total, free = 11000 << 20, 4000 << 20

    class Rates:
        gpu = 50

    class Process:
        def __init__(self, pid: int, used_mib: int) -> None:
            self.pid, self.usedGpuMemory = pid, used_mib << 20

    def __getattr__(self, name: str) -> object:
        answers = {
            "nvmlInit": None,
            "nvmlDeviceGetCount": 1,
            "nvmlDeviceGetHandleByIndex": 0,
            "nvmlDeviceGetUUID": GPU.uuid,
            "nvmlDeviceGetName": GPU.name,
            "nvmlDeviceGetMigMode": (0, 0),
            "nvmlDeviceGetComputeMode": self.NVML_COMPUTEMODE_DEFAULT,
            "nvmlDeviceGetMemoryInfo": self.Memory,
            "nvmlDeviceGetComputeRunningProcesses_v3": [self.Process(302, 2000)],
            "nvmlDeviceGetGraphicsRunningProcesses_v3": [self.Process(5000, 5000)],
            "nvmlDeviceGetProcessUtilization": [],
            "nvmlDeviceGetUtilizationRates": self.Rates,
        }
        return lambda *_, **__: answers[name]


def test_one_look_joins_cores_memory_gpus_and_whose_they_are(tmp_path: Path) -> None:
    proc = FakeProc(tmp_path)
    proc.memory(64000, 50000)
    proc.process(200)
    proc.process(300, parent=200, rss_mib=1000, ticks=150, reaped_ticks=50)
    proc.process(302, parent=300, rss_mib=10, ticks=100)
    proc.process(5000, ticks=999)
    probe = MachineProbe(
        GpuProbe(nvml=OneGpu()), machine="lab01", proc=proc.root, boot_id_file=proc.boot_id_file
    )
    report = probe.look(0.0, own_pids=(200,), leader_pids=(300,))
    assert report.machine == "lab01"
    assert report.boot_id == boot_id(proc.boot_id_file)
    assert report.memory.used_by == {300: 1010}
    assert report.gpu_owners == {302: 300}
    assert report.gpus.gpus[0].busy == 0.5
    assert report.cpu_s == {300: 300 / TICKS_PER_S}
    offer = free_for_us(report, [Promise((300,), 1, 3010, (GPU.uuid,), 3000)], Limits())
    assert (offer.mem_mib, offer.gpus[0].free_mib) == (48000, 3000)


def test_this_very_machine_can_be_looked_at() -> None:
    probe = MachineProbe(GpuProbe("none"))
    report = probe.look(0.0, own_pids=(), leader_pids=())
    offer = free_for_us(report, [], Limits(yield_to_others=False))
    assert offer.cores == offer.total_cores >= 1
    assert 0 < offer.mem_mib <= offer.total_mem_mib
    assert len(report.boot_id) == 36


# --- neighbours -----------------------------------------------------------------------------------


def theirs(pid: int = 300, **changes: object) -> Promise:
    promise = Promise((pid,), 3, 8000, (GPU.uuid,), 8000, is_ours=False)
    return replace(promise, **changes)  # type: ignore[arg-type]


def test_a_neighbours_promise_counts_like_one_of_ours() -> None:
    offer = free_for_us(machine(GPU), [theirs()], Limits())
    assert (offer.cores, offer.mem_mib, offer.gpus[0].free_mib) == (5, 52000, 3000)


def test_a_neighbours_promise_is_no_part_of_our_limits() -> None:
    limits = Limits(cores=4, mem_mib=10000)
    offer = free_for_us(machine(GPU), [theirs(), Promise((), 1, 1000)], limits)
    assert (offer.cores, offer.mem_mib) == (3, 9000)


def test_more_than_was_promised_counts_too() -> None:
    cores = CoreReport(8, 0.4, load_of={300: 6.0})
    report = replace(machine(gpu_with(1000, (300, 10000)), available_mib=30000), cores=cores)
    offer = free_for_us(report, [theirs(held_mib=34000)], Limits())
    assert (offer.cores, offer.mem_mib, offer.gpus[0].free_mib) == (2, 30000, 1000)


def test_what_is_not_firm_counts_by_use() -> None:
    cores = CoreReport(8, 0.4, load_of={300: 1.0})
    report = replace(machine(gpu_with(9000, (300, 2000)), available_mib=58000), cores=cores)
    offer = free_for_us(report, [theirs(is_firm=False)], Limits())
    assert (offer.cores, offer.mem_mib, offer.gpus[0].free_mib) == (7, 58000, 9000)


def test_what_a_neighbour_holds_is_never_taken_for_more_than_its_largest_process() -> None:
    report = replace(machine(available_mib=50000), neighbour_mib={300: 5000})
    assert free_for_us(report, [theirs(gpu_uuids=())], Limits()).mem_mib == 47000


def test_on_ones_own_machine_neighbours_cores_do_not_count() -> None:
    offer = free_for_us(machine(GPU), [theirs()], Limits(yield_to_others=False))
    assert (offer.cores, offer.gpus[0].free_mib) == (8, 3000)


def test_an_exclusive_gpu_that_a_neighbour_was_promised_is_not_free() -> None:
    gpu = replace(GPU, exclusive=True)
    assert free_for_us(machine(gpu), [theirs()], Limits()).gpus[0].free_mib == 0
