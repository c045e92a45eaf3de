"""One look at this machine, and the arithmetic of what is free on it for our jobs.

Other people's processes count by what they use, our own jobs by what they were promised, even
before they use it. Invariant: the offer never exceeds what is free once every promise is kept, so
no job is started on memory that another one is about to allocate.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from mlq.jobs.placement import IDLE_GPU_SHARE, GpuOffer, Offer
from mlq_worker.ipc.clock import BOOT_ID_FILE, boot_id
from mlq_worker.probes.cores import ACTIVE_CORES, TICKS_PER_S, CoreProbe, CoreReport
from mlq_worker.probes.memory import PAGE_MIB, MemoryProbe, MemoryReport
from mlq_worker.probes.nvml import Gpu, GpuReport
from mlq_worker.probes.process_table import PROC, ProcessTable, Scanner
from mlq_worker.probes.waiting import WaitProbe


@dataclass(frozen=True, slots=True)
class MachineReport:
    """What one look at the machine saw.

    `gpu_owners` maps the pid of each process of ours that is on a GPU to the leader pid of its
    attempt; so it does for jobs of neighbours, other people's mlq. `cpu_s` has the CPU seconds that
    the processes of each leader's tree have used so far, by leader pid, `waited_s` how long their
    threads waited for a core, and `neighbour_mib` what the largest process of each neighbour's job
    holds. `at_s` is when it looked.
    """

    machine: str
    boot_id: str
    cores: CoreReport
    memory: MemoryReport
    gpus: GpuReport = field(default_factory=GpuReport)
    gpu_owners: Mapping[int, int] = field(default_factory=dict)
    cpu_s: Mapping[int, float] = field(default_factory=dict)
    at_s: float = 0.0
    neighbour_mib: Mapping[int, int] = field(default_factory=dict)
    waited_s: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Promise:
    """What a running attempt of ours, or a job of a neighbour, was promised.

    `leader_pids` is empty until its process exists. `vram_mib` is per GPU; 0 means that it has its
    GPUs to itself. If it is not `is_firm`, what it does not use counts no more. `held_mib` is what
    a neighbour says that its job holds of main memory; None if it does not.
    """

    leader_pids: tuple[int, ...]
    cores: int
    mem_mib: int
    gpu_uuids: tuple[str, ...] = ()
    vram_mib: int = 0
    is_ours: bool = True
    is_firm: bool = True
    held_mib: int | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What mlq may use of this machine at most (None: all of it).

    With `yield_to_others` the cores that other people keep busy, or that their mlq was promised,
    are left to them. `granted_mib` is what a batch system granted, to mlq's own processes as well
    as to its jobs. Of cores and memory `reserve_cores` and `reserve_mem_mib` are left free besides,
    while others are active: they use some of the cores, or `is_anybody` says so. Who runs mlq is no
    other.
    """

    cores: int | None = None
    mem_mib: int | None = None
    yield_to_others: bool = True
    granted_mib: int | None = None
    reserve_cores: int = 0
    reserve_mem_mib: int = 0
    is_anybody: bool = False

    def kept(self, cores: CoreReport) -> tuple[int, int]:
        """Return how many cores and how much memory, in MiB, are left free for others now."""
        is_active = self.is_anybody or cores.foreign_load - cores.own_load >= ACTIVE_CORES
        if not self.yield_to_others or not is_active:
            return 0, 0
        return self.reserve_cores, self.reserve_mem_mib


class Gpus(Protocol):
    """Looks at the GPUs."""

    def read(self) -> GpuReport:
        """Return those that are selected; a fault of theirs is in the report."""


@dataclass(frozen=True, slots=True)
class NoGpus:
    """No GPU at all may be offered, for this reason."""

    reason: str

    def read(self) -> GpuReport:
        """Return no GPUs, with the reason as a fault, so that `mlq explain` tells it."""
        return GpuReport(fault=self.reason)


class MachineProbe:
    """Looks at cores, memory and GPUs in one go.

    Args:
        gpus: the probe for the GPUs, which knows which of them are selected.
        machine: the machine's name in the queue; its host name if not given.
        proc: where procfs is.
        boot_id_file: where the kernel's boot id is.
        measures_own: whether to measure the memory of mlq's own processes.
    """

    def __init__(
        self,
        gpus: Gpus,
        *,
        machine: str = "",
        proc: Path = PROC,
        boot_id_file: Path = BOOT_ID_FILE,
        measures_own: bool = False,
    ) -> None:
        self._machine = machine or socket.gethostname()
        self._boot_id = boot_id(boot_id_file)
        self._scanner = Scanner(proc)
        self._gpus = gpus
        self._measures_own = measures_own
        self._cores = CoreProbe(proc)
        self._memory = MemoryProbe(proc)
        self._waiting = WaitProbe(proc)

    def look(
        self,
        now_s: float,
        own_pids: Iterable[int],
        leader_pids: Iterable[int],
        neighbour_pids: Iterable[int] = (),
    ) -> MachineReport:
        """Look once; costs one scan of `/proc` and one round of NVML calls.

        Args:
            now_s: a monotonic clock.
            own_pids: roots of all our process trees (the worker and the supervisor).
            leader_pids: the first process of each of our attempts.
            neighbour_pids: the first process of each job of other people's mlq.
        """
        leaders, own = tuple(leader_pids), tuple(own_pids)
        table = self._scanner.scan()
        gpus = self._gpus.read()
        on_gpus = {process.pid for gpu in gpus.gpus for process in gpu.processes}
        owners = table.owners(leaders) if leaders else {}
        theirs = table.owners(neighbour_pids)
        trees = {pid: leader for pid, leader in theirs.items() if pid not in owners}
        return MachineReport(
            machine=self._machine,
            boot_id=self._boot_id,
            cores=self._cores.read(now_s, table, own, trees),
            memory=self._memory.read(now_s, table, leaders, own if self._measures_own else ()),
            gpus=gpus,
            gpu_owners={pid: who for pid, who in (trees | owners).items() if pid in on_gpus},
            cpu_s=_cpu_s(table, owners),
            neighbour_mib=_largest_mib(table, trees),
            waited_s=self._waiting.read(now_s, owners),
            at_s=now_s,
        )


def _cpu_s(table: ProcessTable, owners: Mapping[int, int]) -> dict[int, float]:
    found: dict[int, float] = {}
    for pid, leader in owners.items():
        ticks = table.processes[pid].cpu_ticks
        found[leader] = found.get(leader, 0.0) + ticks / TICKS_PER_S
    return found


def _largest_mib(table: ProcessTable, trees: Mapping[int, int]) -> dict[int, int]:
    """Return what the largest process of each tree holds: at least so much the tree does.

    Of processes of others it is not told how much they share, so they must not be summed up.
    """
    found: dict[int, int] = {}
    for pid, leader in trees.items():
        mib = round(table.processes[pid].rss_pages * PAGE_MIB)
        found[leader] = max(found.get(leader, 0), mib)
    return found


def free_for_us(report: MachineReport, promises: Sequence[Promise], limits: Limits) -> Offer:
    """Work out what the machine can offer to new jobs beside what it has promised already.

    Args:
        report: one look at the machine.
        promises: one for each attempt of ours that holds resources here, and neighbours'.
        limits: what mlq may use at most.
    """
    total_cores = _at_most(limits.cores, report.cores.total)
    total_mem_mib = _at_most(limits.mem_mib, report.memory.total_mib)
    total_mem_mib = _at_most(limits.granted_mib, total_mem_mib)
    return Offer(
        machine=report.machine,
        cores=_free_cores(report.cores, promises, limits, total_cores),
        mem_mib=_free_mem_mib(report, promises, limits),
        gpus=tuple(_gpu_offer(gpu, report, promises) for gpu in report.gpus.gpus),
        total_cores=total_cores,
        total_mem_mib=total_mem_mib,
    )


def _at_most(limit: int | None, total: int) -> int:
    return total if limit is None else min(limit, total)


def _free_cores(
    report: CoreReport, promises: Sequence[Promise], limits: Limits, total_cores: int
) -> int:
    promised = sum(promise.cores for promise in promises if promise.is_ours)
    if not limits.yield_to_others:
        return max(0, total_cores - promised)
    foreign = report.foreign_load
    for promise in promises:
        if not promise.is_ours:
            used = sum(report.load_of.get(pid, 0.0) for pid in promise.leader_pids)
            foreign += max(promise.cores, used) if promise.is_firm else used
    kept, _ = limits.kept(report)
    return max(0, min(total_cores, report.total - round(foreign) - kept) - promised)


def _free_mem_mib(report: MachineReport, promises: Sequence[Promise], limits: Limits) -> int:
    """Return the least of what is available beyond our promises and what the limits leave us."""
    unused = ours = 0
    for promise in promises:
        used = _used_mib(promise, report)
        unused += max(0, promise.mem_mib - used) if promise.is_firm else 0
        ours += max(promise.mem_mib, used) if promise.is_ours else 0
    _, kept_mib = limits.kept(report.cores)
    left = [report.memory.available_mib - unused - kept_mib]
    if limits.mem_mib is not None:
        left.append(limits.mem_mib - ours)
    if limits.granted_mib is not None:
        left.append(limits.granted_mib - ours - report.memory.own_mib)
    return max(0, min(left))


def _used_mib(promise: Promise, report: MachineReport) -> int:
    if promise.is_ours:
        return sum(report.memory.used_by.get(pid, 0) for pid in promise.leader_pids)
    seen = sum(report.neighbour_mib.get(pid, 0) for pid in promise.leader_pids)
    return seen if promise.held_mib is None else promise.held_mib


def _gpu_offer(gpu: Gpu, report: MachineReport, promises: Sequence[Promise]) -> GpuOffer:
    """Return what one GPU offers; without memory of its own, the machine's, whole or not at all."""
    shared = not gpu.total_mib
    if shared:
        held = gpu.is_computing or any(_counts_on(gpu, promise) for promise in promises)
        free_mib = 0 if held else report.memory.total_mib
    else:
        free_mib = _free_vram_mib(gpu, promises, report.gpu_owners)
    return GpuOffer(
        uuid=gpu.uuid,
        name=gpu.name,
        free_mib=free_mib,
        total_mib=report.memory.total_mib if shared else gpu.total_mib,
        exclusive=gpu.exclusive or shared,
        index=gpu.index,
    )


def _free_vram_mib(gpu: Gpu, promises: Sequence[Promise], owners: Mapping[int, int]) -> int:
    """Subtract what our jobs were promised on this GPU and have not allocated yet.

    Memory of a process for which the driver gives no number, or which it does not list, counts as
    not allocated: the offer is then too small, which wastes memory but breaks no promise.
    """
    if gpu.exclusive and any(_counts_on(gpu, promise) for promise in promises):
        return 0
    if gpu.exclusive and not gpu.lists_processes and gpu.free_mib < gpu.total_mib * IDLE_GPU_SHARE:
        return 0  # something is on it, and it may be the one process that it takes
    used_by: dict[int, int] = {}
    for process in gpu.processes:
        leader = owners.get(process.pid)
        if leader is not None:
            used_by[leader] = used_by.get(leader, 0) + (process.used_mib or 0)
    unused = promised = 0
    for promise in promises:
        if _counts_on(gpu, promise):
            used = sum(used_by.get(pid, 0) for pid in promise.leader_pids)
            unused += max(0, (promise.vram_mib or gpu.total_mib) - used)
            promised += promise.vram_mib or gpu.total_mib
    # The driver tells what is free, then what each process uses: who allocates in between is seen
    # to use what is seen as free.
    return max(0, min(gpu.free_mib - unused, gpu.total_mib - promised))


def _counts_on(gpu: Gpu, promise: Promise) -> bool:
    return promise.is_firm and gpu.uuid in promise.gpu_uuids
