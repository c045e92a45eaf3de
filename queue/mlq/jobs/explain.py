"""Why a job waits: for each machine everything that keeps it from starting there, and a conclusion.

Pure and typed; the command renders it. `placement` decides what fits, `reservations` which job a
machine is kept free for, and `machine_state` what is left to other machines. The worker calls the
same functions before it claims. Only one rule is written twice: that of the machine that a job
avoids, which `claim.lua` applies inside the server.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from mlq.jobs.machine_state import NO_OTHERS, Lack, MachineState, OthersLoad, left_to_others
from mlq.jobs.needs import OF_SUPERVISORS
from mlq.jobs.placement import (
    Misfit,
    Resource,
    RunningAttempt,
    Short,
    Shortcoming,
    WrongGpus,
    place,
)
from mlq.jobs.reservations import Contender, admitted, kept_for

_GPU_RESOURCES = frozenset({Resource.GPUS, Resource.GPU_MEMORY})


@dataclass(frozen=True, slots=True)
class Silent:
    """The queue has not heard from the machine for too long to count on it."""

    heard_s: float


@dataclass(frozen=True, slots=True)
class Closed:
    """The machine takes no jobs, or hardly any; `why` is its own reason, "" if it gives none."""

    why: str


@dataclass(frozen=True, slots=True)
class TooLong:
    """The job may run for `limit_s`, and the machine is there for `left_s` more seconds only."""

    limit_s: float
    left_s: float

    @property
    def fits_when_idle(self) -> bool:
        """Whether the job would fit if the machine were idle: it has ever less time."""
        return False


@dataclass(frozen=True, slots=True)
class Lacks:
    """The job needs something that is missing there, and another machine may have it."""

    lack: Lack


@dataclass(frozen=True, slots=True)
class GpuFault:
    """The job is short of GPUs, because a fault has withdrawn all or (`some_left`) some of them."""

    text: str
    some_left: bool


@dataclass(frozen=True, slots=True)
class GpuNote:
    """The job is short of GPUs, and this is how the machine gives them out."""

    text: str


@dataclass(frozen=True, slots=True)
class Reserved:
    """The machine is kept free for another job."""

    for_job: str


@dataclass(frozen=True, slots=True)
class Avoided:
    """The job failed or was lost there, so other machines may take it first for this long."""

    for_s: float


Reason = Silent | Closed | TooLong | Lacks | GpuFault | GpuNote | Shortcoming | Reserved | Avoided
"""A reason why a job cannot start on a machine now."""


class Fits(StrEnum):
    """Whether a job fits a machine: now, once the machine is idle and well, or never."""

    NOW = "now"
    LATER = "later"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class AskedJob:
    """The job that is asked about.

    Args:
        contender: the job as it waits.
        avoids: the machine that lets others take it first; "" if none does.
        avoids_for_s: for how much longer.
    """

    contender: Contender
    avoids: str = ""
    avoids_for_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Situation:
    """What the queue knows of machines and of other jobs.

    Args:
        machines: what each machine last said.
        lease_s: a machine not heard from for longer is not counted on.
        heads: the first waiting job of each class.
        reservations: job -> the machine that it has reserved.
        running: machine -> what runs there; needed only for machines that are reserved.
    """

    machines: Sequence[MachineState]
    lease_s: float
    heads: Sequence[Contender] = ()
    reservations: Mapping[str, str] = field(default_factory=dict)
    running: Mapping[str, Sequence[RunningAttempt]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one machine is to a job.

    Args:
        machine: its name.
        fits: whether the job fits.
        reasons: all that keeps the job from starting there now; none if it fits now.
        is_kept_free: whether the machine is kept free for this job.
        others: what processes outside the queue use of the machine.
    """

    machine: str
    fits: Fits
    reasons: tuple[Reason, ...] = ()
    is_kept_free: bool = False
    others: OthersLoad = NO_OTHERS


def judge(job: AskedJob, situation: Situation) -> list[Judgement]:
    """Return what each machine is to a waiting job."""
    return [_judgement(job, machine, situation) for machine in situation.machines]


def _judgement(job: AskedJob, machine: MachineState, situation: Situation) -> Judgement:
    here = kept_for(
        situation.heads,
        situation.reservations,
        machine.offer,
        {one.word for one in machine.lacks},
    )
    short = _short(job, machine)
    reasons: list[Reason] = [
        *_about_machine(job, machine, situation),
        *_about_time(job, machine),
        *_about_gpus(machine, short),
        *(one for one in short if not (machine.gpu_fault and _counts_gpus(one))),
        *_reserved(job, here, machine, situation),
        *_avoided(job, machine, situation),
    ]
    lasting = [one for one in reasons if isinstance(one, Shortcoming | TooLong)]
    some_day = all(one.fits_when_idle for one in lasting)
    fits = Fits.NOW if not reasons else Fits.LATER if some_day else Fits.NEVER
    is_kept_free = here is not None and here.id == job.contender.id
    return Judgement(machine.machine, fits, tuple(reasons), is_kept_free, machine.others)


def _short(job: AskedJob, machine: MachineState) -> tuple[Shortcoming, ...]:
    answer = place(job.contender.request, machine.offer)
    return answer.reasons if isinstance(answer, Misfit) else ()


def _counts_gpus(reason: Shortcoming) -> bool:
    """Return whether this is a shortage of GPUs, whose number is unknown during a driver fault."""
    if isinstance(reason, WrongGpus):
        return True
    return isinstance(reason, Short) and reason.resource is Resource.GPUS


def _others_heard(machine: MachineState, situation: Situation) -> list[MachineState]:
    return [
        one
        for one in situation.machines
        if one.machine != machine.machine and one.is_heard(situation.lease_s)
    ]


def _about_machine(job: AskedJob, machine: MachineState, situation: Situation) -> list[Reason]:
    if not machine.is_heard(situation.lease_s):
        return [Silent(machine.heard_s)]  # everything else that it said is old
    found: list[Reason] = []
    if machine.note or not machine.takes_jobs:
        found.append(Closed(machine.note))
    needed = [one for one in machine.lacks if one.word in job.contender.needs.split()]
    others = _others_heard(machine, situation)
    left = left_to_others((one.word for one in needed), job.contender.request, others)
    # A machine tries a job itself if no other machine could offer what it needs, unless its own
    # supervisor cannot run the job.
    return [*found, *(Lacks(one) for one in needed if one.word in {*left, *OF_SUPERVISORS})]


def _about_time(job: AskedJob, machine: MachineState) -> list[Reason]:
    limit_s, left_s = job.contender.time_limit_s, machine.offer.left_s
    if limit_s is None or left_s is None or machine.offer.is_long_enough(limit_s):
        return []
    return [TooLong(limit_s, left_s)]


def _is_about_gpus(reason: Shortcoming) -> bool:
    if isinstance(reason, Short):
        return reason.resource in _GPU_RESOURCES
    return isinstance(reason, WrongGpus)


def _about_gpus(machine: MachineState, short: Sequence[Shortcoming]) -> list[Reason]:
    if not any(_is_about_gpus(one) for one in short):
        return []
    found: list[Reason] = []
    if machine.gpu_fault:
        found.append(GpuFault(machine.gpu_fault, bool(machine.offer.gpus)))
    if machine.gpu_note:
        found.append(GpuNote(machine.gpu_note))
    return found


def _reserved(
    job: AskedJob, here: Contender | None, machine: MachineState, situation: Situation
) -> list[Reason]:
    if here is None or here.id == job.contender.id:
        return []
    running = situation.running.get(machine.machine, ())
    if admitted([job.contender], here, machine.offer, running):
        return []
    return [Reserved(here.id)]


def _avoided(job: AskedJob, machine: MachineState, situation: Situation) -> list[Reason]:
    """Apply the rule of `claim.lua`: a machine that is the only one takes the job all the same."""
    if job.avoids != machine.machine or job.avoids_for_s <= 0:
        return []
    return [Avoided(job.avoids_for_s)] if _others_heard(machine, situation) else []


@dataclass(frozen=True, slots=True)
class BeingRestored:
    """The queue is being restored, and gives out no job meanwhile."""


@dataclass(frozen=True, slots=True)
class NoMachine:
    """No machine has ever worked for the queue."""


@dataclass(frozen=True, slots=True)
class KeptFree:
    """A machine is kept free for the job."""

    machine: str


@dataclass(frozen=True, slots=True)
class NeverFits:
    """No known machine could ever run the job."""


@dataclass(frozen=True, slots=True)
class AllEndTooSoon:
    """Nothing but its time limit keeps the job off some machines: they are there for too short."""


@dataclass(frozen=True, slots=True)
class MayStart:
    """The job fits these machines now; jobs ahead of it may go first."""

    machines: tuple[str, ...]
    ahead: int


@dataclass(frozen=True, slots=True)
class WaitsForRoom:
    """The job starts when enough of the short resources becomes free."""


@dataclass(frozen=True, slots=True)
class Paused:
    """The user has paused the queue, for this reason."""

    why: str


@dataclass(frozen=True, slots=True)
class SweepHeld:
    """The job's sweep is held, for this reason: none of its members starts."""

    number: int
    why: str


@dataclass(frozen=True, slots=True)
class SweepFull:
    """The job's sweep already has as many members running as it may."""

    number: int
    running: int
    most: int


Blocked = Paused | SweepHeld | SweepFull
Conclusion = (
    Blocked
    | BeingRestored
    | NoMachine
    | KeptFree
    | NeverFits
    | AllEndTooSoon
    | MayStart
    | WaitsForRoom
)


def conclude(
    judgements: Sequence[Judgement],
    ahead: int,
    *,
    restoring: bool = False,
    blocked: Blocked | None = None,
) -> Conclusion:
    """Return what a queued job waits for.

    Args:
        judgements: what each known machine is to the job.
        ahead: how many queued jobs come before it.
        restoring: whether the queue is being restored.
        blocked: why the queue would not give it out even if there is room.
    """
    if restoring:
        return BeingRestored()
    if blocked is not None:
        return blocked
    if not judgements:
        return NoMachine()
    for one in judgements:
        if one.is_kept_free:
            return KeptFree(one.machine)
    if all(one.fits is Fits.NEVER for one in judgements):
        return AllEndTooSoon() if any(_ends_too_soon(one) for one in judgements) else NeverFits()
    now = tuple(one.machine for one in judgements if one.fits is Fits.NOW)
    return MayStart(now, ahead) if now else WaitsForRoom()


def _ends_too_soon(judgement: Judgement) -> bool:
    """Return whether the job would fit a machine some day if that were there for longer."""
    lasting = [one for one in judgement.reasons if isinstance(one, Shortcoming | TooLong)]
    never = [one for one in lasting if not one.fits_when_idle]
    return bool(never) and all(isinstance(one, TooLong) for one in never)
