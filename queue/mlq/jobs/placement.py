"""Does this job fit that machine now, and if not, what is short?

The worker asks `place` before it claims, and `mlq explain` asks it when a user wonders why a job
waits (`mlq.jobs.explain`). Pure: an offer comes in, a fit or the reasons for a misfit come out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from mlq.jobs.choice_of_machines import machines_of
from mlq.jobs.request import Request


@dataclass(frozen=True, slots=True)
class GpuOffer:
    """One GPU and what of its memory is free for new jobs.

    An `exclusive` GPU is given to one job at a time, however much is free: because of its compute
    mode, or because it reports no memory sizes. `index` is its number in PCI bus order.
    """

    uuid: str
    name: str
    free_mib: int
    total_mib: int
    exclusive: bool = False
    index: int = 0


@dataclass(frozen=True, slots=True)
class Offer:
    """What one machine has free for new jobs, and what it has in total.

    `left_s` is for how many more seconds jobs may run there; None if no end is known. A job without
    a time limit may start there all the same, and is handed back at the end.
    """

    machine: str
    cores: int
    mem_mib: int
    gpus: tuple[GpuOffer, ...]
    total_cores: int
    total_mem_mib: int
    left_s: float | None = None

    def is_long_enough(self, time_limit_s: float | None) -> bool:
        """Return whether a job with this time limit, or without one, may start here."""
        return self.left_s is None or time_limit_s is None or time_limit_s <= self.left_s

    def after(self, request: Request, fit: Fit) -> Offer:
        """Return what is left after a job with this request is placed by this fit."""
        gpus = tuple(
            replace(gpu, free_mib=0 if gpu.exclusive else gpu.free_mib - _vram_mib(request, gpu))
            if gpu.uuid in fit.gpu_uuids
            else gpu
            for gpu in self.gpus
        )
        return replace(
            self,
            cores=self.cores - request.cores,
            mem_mib=self.mem_mib - request.mem_mib,
            gpus=gpus,
        )

    def when_idle(self) -> Offer:
        """Return what the machine would offer if nothing at all ran on it."""
        gpus = tuple(replace(gpu, free_mib=gpu.total_mib) for gpu in self.gpus)
        return replace(self, cores=self.total_cores, mem_mib=self.total_mem_mib, gpus=gpus)


@dataclass(frozen=True, slots=True)
class Fit:
    """The job fits; these are the GPUs it gets."""

    gpu_uuids: tuple[str, ...] = ()


class Resource(StrEnum):
    """What a machine may be short of."""

    CORES = "cores"
    MEMORY = "memory"
    GPUS = "GPUs"
    GPU_MEMORY = "GPU memory"  # of the only GPU there is


@dataclass(frozen=True, slots=True)
class Short:
    """One resource that is short: `needed` of it, `free` now, `total` on an idle machine.

    Memory is in MiB. Of GPUs, only those count that have `vram_mib` free; 0 means all of their
    memory.
    """

    resource: Resource
    needed: int
    free: int
    total: int
    vram_mib: int = 0

    @property
    def fits_when_idle(self) -> bool:
        """Whether there would be enough of the resource if the machine were idle."""
        return self.needed <= self.total


@dataclass(frozen=True, slots=True)
class NameMismatch:
    """The job is for machines of the list `wanted`, and this machine is not one of them.

    `is_excluded`: the list names it as one that the job must not have.
    """

    wanted: str
    is_excluded: bool = False

    @property
    def fits_when_idle(self) -> bool:
        """Whether the job would fit if the machine were idle."""
        return False


@dataclass(frozen=True, slots=True)
class WrongGpus:
    """The job needs so many GPUs of the type `wanted`; the machine has these models, not enough."""

    wanted: str
    needed: int
    models: tuple[str, ...]

    @property
    def fits_when_idle(self) -> bool:
        """Whether the job would fit if the machine were idle."""
        return False


Shortcoming = Short | NameMismatch | WrongGpus
"""Why a job does not fit a machine."""


@dataclass(frozen=True, slots=True)
class Misfit:
    """The job does not fit, and these are all the reasons."""

    reasons: tuple[Shortcoming, ...]

    @property
    def fits_when_idle(self) -> bool:
        """Whether the job would fit this machine if it were idle."""
        return all(reason.fits_when_idle for reason in self.reasons)


# NVML counts some memory as reserved, so no GPU ever has all of its memory free. A GPU with at
# least this share free counts as idle.
IDLE_GPU_SHARE = 0.9


def _vram_mib(request: Request, gpu: GpuOffer) -> int:
    return request.vram_mib or int(gpu.total_mib * IDLE_GPU_SHARE)


def place(request: Request, offer: Offer) -> Fit | Misfit:
    """Decide whether the request fits the offer now.

    GPUs are chosen by tightest fit, so that small jobs share a GPU and leave a whole one free.
    """
    reasons: list[Shortcoming] = []
    if not request.allows(offer.machine):
        is_excluded = machines_of(request.machine).excludes(offer.machine)
        reasons.append(NameMismatch(request.machine, is_excluded))
    if request.cores > offer.cores:
        reasons.append(Short(Resource.CORES, request.cores, offer.cores, offer.total_cores))
    if request.mem_mib > offer.mem_mib:
        reasons.append(Short(Resource.MEMORY, request.mem_mib, offer.mem_mib, offer.total_mem_mib))
    right = tuple(gpu for gpu in offer.gpus if request.takes(gpu.name))
    enough = sorted(
        (gpu for gpu in right if gpu.free_mib >= _vram_mib(request, gpu)),
        key=lambda gpu: (gpu.free_mib, gpu.uuid),
    )
    if request.gpus > len(right) != len(offer.gpus):
        models = tuple(gpu.name for gpu in offer.gpus)
        reasons.append(WrongGpus(request.gpu_type, request.gpus, models))
    elif request.gpus > len(enough):
        reasons.append(_short_of_gpus(request, replace(offer, gpus=right), len(enough)))
    if reasons:
        return Misfit(tuple(reasons))
    return Fit(tuple(gpu.uuid for gpu in enough[: request.gpus]))


def _short_of_gpus(request: Request, offer: Offer, enough: int) -> Short:
    able = sum(gpu.total_mib >= _vram_mib(request, gpu) for gpu in offer.gpus)
    if request.gpus > able or len(offer.gpus) > 1 or not offer.gpus or not request.vram_mib:
        return Short(Resource.GPUS, request.gpus, enough, able, request.vram_mib)
    gpu = offer.gpus[0]
    return Short(Resource.GPU_MEMORY, request.vram_mib, gpu.free_mib, gpu.total_mib)


def capacity(request: Request, offer: Offer, at_most: int) -> int:
    """Return how many jobs with this request fit the offer together, counting to `at_most`."""
    count = 0
    while count < at_most and isinstance(fit := place(request, offer), Fit):
        offer = offer.after(request, fit)
        count += 1
    return count


@dataclass(frozen=True, slots=True)
class RunningAttempt:
    """A running attempt: what it holds, and the seconds until its time limit ends it (or None)."""

    request: Request
    gpu_uuids: tuple[str, ...]
    ends_in_s: float | None


def earliest_start_s(
    wanted: Request, offer: Offer, running: Iterable[RunningAttempt]
) -> float | None:
    """Return the seconds until `wanted` surely fits, as running jobs reach their time limits.

    None if no time limits say so; 0 if it fits now. This is the reservation's start in
    conservative backfilling (Mu'alem and Feitelson, 2001): other jobs may run on a reserved
    machine only if they surely end before it.
    """
    if isinstance(place(wanted, offer), Fit):
        return 0.0
    limited = [occupant for occupant in running if occupant.ends_in_s is not None]
    for occupant in sorted(limited, key=lambda one: one.ends_in_s or 0.0):
        offer = _returned(offer, occupant)
        if isinstance(place(wanted, offer), Fit):
            return occupant.ends_in_s
    return None


def _freed_mib(request: Request, gpu: GpuOffer) -> int:
    if gpu.exclusive:
        return gpu.total_mib
    return min(gpu.total_mib, gpu.free_mib + _vram_mib(request, gpu))


def _returned(offer: Offer, occupant: RunningAttempt) -> Offer:
    gpus = tuple(
        replace(gpu, free_mib=_freed_mib(occupant.request, gpu))
        if gpu.uuid in occupant.gpu_uuids
        else gpu
        for gpu in offer.gpus
    )
    return replace(
        offer,
        cores=offer.cores + occupant.request.cores,
        mem_mib=offer.mem_mib + occupant.request.mem_mib,
        gpus=gpus,
    )
