"""Says in words why a job waits: one text for each reason and conclusion in `mlq.jobs.explain`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, assert_never

from mlq.jobs.choice_of_machines import machines_of, models_in_words
from mlq.jobs.explain import (
    AllEndTooSoon,
    Avoided,
    BeingRestored,
    Closed,
    Conclusion,
    Fits,
    GpuFault,
    GpuNote,
    Judgement,
    KeptFree,
    Lacks,
    MayStart,
    NeverFits,
    NoMachine,
    Paused,
    Reason,
    Reserved,
    Silent,
    SweepFull,
    SweepHeld,
    TooLong,
    WaitsForRoom,
)
from mlq.jobs.machine_state import NO_OTHERS, OthersLoad
from mlq.jobs.placement import NameMismatch, Resource, Short, WrongGpus
from mlq.units import format_duration, format_mib
from mlq_cli.render.clean import clean
from mlq_cli.render.machines import gpus_withdrawn, not_heard, not_taking
from mlq_cli.render.style import Style
from mlq_cli.render.table import Cell, Column, table
from mlq_cli.render.words import count, paused

_HEAVY_LOAD = 0.5


def as_json(judgement: Judgement) -> dict[str, Any]:
    """Return a judgement as `mlq explain --json` prints it."""
    return {"machine": judgement.machine, "fits": judgement.fits, "why": why_not_now(judgement)}


def why_not_now(judgement: Judgement) -> list[str]:
    """Return, in words, the reasons why a job cannot start on a machine now."""
    return [reason_in_words(one, judgement.others) for one in judgement.reasons]


def reason_in_words(reason: Reason, others: OthersLoad = NO_OTHERS) -> str:  # noqa: PLR0911
    """Return one reason in words.

    Args:
        reason: the reason.
        others: what others use of the machine.
    """
    match reason:
        case Silent(heard_s):
            return not_heard(heard_s)
        case Closed(why):
            return not_taking(why)
        case TooLong(limit_s, left_s):
            limit, left = format_duration(limit_s), format_duration(round(left_s))
            return f"it may run for {limit}, and this allocation takes jobs for {left} more"
        case Lacks(lack):
            return lack.reason
        case GpuFault(text, some_left):
            return gpus_withdrawn(text, some_left=some_left)
        case GpuNote(text):
            return text
        case NameMismatch() | WrongGpus():
            return _not_for_it(reason)
        case Short():
            return _short(reason, others)
        case Reserved(for_job):
            return f"kept free for job {for_job}, which has waited long"
        case Avoided():
            return "this job failed or was lost here, so others go first for a moment"
        case _:
            assert_never(reason)


def _not_for_it(reason: NameMismatch | WrongGpus) -> str:
    if isinstance(reason, WrongGpus):
        how_many = f"{reason.needed} GPUs" if reason.needed > 1 else "GPU"
        return f"{how_many} of type {reason.wanted} needed, it has {models_in_words(reason.models)}"
    if reason.is_excluded:
        return "the job is not to run here"
    return f"its name is not {' or '.join(machines_of(reason.wanted).wanted)}"


def _short(short: Short, others: OthersLoad) -> str:
    sized = short.resource in {Resource.MEMORY, Resource.GPU_MEMORY}
    amount = format_mib if sized else str
    needed, free, total = (amount(n) for n in (short.needed, short.free, short.total))
    if not short.fits_when_idle:
        return f"{needed} {_noun(short)} needed, it has {total} in all"
    return f"{needed} {_noun(short)} needed, {free} of {total} free{_whose(short, others)}"


def _noun(short: Short) -> str:
    match short.resource:
        case Resource.MEMORY:
            return "of memory"
        case Resource.GPU_MEMORY:
            return "of GPU memory"
        case Resource.CORES:
            return "core" if short.needed == 1 else "cores"
        case Resource.GPUS:
            gpus = "GPU" if short.needed == 1 else "GPUs"
            return (
                f"{gpus} with {format_mib(short.vram_mib)} free"
                if short.vram_mib
                else f"idle {gpus}"
            )


def _whose(short: Short, others: OthersLoad) -> str:
    """Return who has what is short, as far as the machine reported it."""
    said = _promised(short, others)
    if short.resource is Resource.CORES and others.cores >= _HEAVY_LOAD:
        users = ", ".join(
            f"{user or 'your own other processes'} {cores:.1f}" for user, cores in others.users
        )
        said.append(f"others use {others.cores:.1f}" + (f": {users}" if users else ""))
    if short.resource is Resource.CORES and others.kept_cores:
        said.append(f"{others.kept_cores} kept free for others")
    if short.resource is Resource.MEMORY and others.kept_mem_mib:
        said.append(f"{format_mib(others.kept_mem_mib)} kept free for others")
    return f" ({'; '.join(said)})" if said else ""


def _promised(short: Short, others: OthersLoad) -> list[str]:
    """Return whose mlq was promised what is short."""
    found = []
    for one in others.promised:
        amount = {
            Resource.CORES: one.cores,
            Resource.MEMORY: one.mem_mib,
            Resource.GPU_MEMORY: one.vram_mib,
            Resource.GPUS: one.vram_mib,
        }[short.resource]
        if amount:
            said = str(amount) if short.resource is Resource.CORES else format_mib(amount)
            found.append(f"{clean(one.user) or 'another queue'}'s mlq promised {said}")
    return found


def conclusion_in_words(conclusion: Conclusion) -> str:  # noqa: PLR0911
    """Return in one sentence what a queued job waits for."""
    match conclusion:
        case BeingRestored():
            return "The queue is being restored: no job starts until all machines have told theirs."
        case Paused(why):
            return paused(why)
        case SweepHeld(number, why):
            return f"Its sweep is held: {why}. Let it go: mlq release {number}"
        case SweepFull(number, running, most):
            return (
                f"{running} of sweep {number} run, and no more than {most} may at once."
                " To change that, enqueue it again with --max-running."
            )
        case NoMachine():
            return "No machine works for this queue. Start one there with: mlq worker start"
        case KeptFree(machine):
            return f"{machine} is kept free for it: only jobs that end in time start there."
        case AllEndTooSoon():
            return "No allocation lasts as long as its time limit; it starts when one does."
        case NeverFits():
            return "No known machine could ever run it. Cancel it and ask for less."
        case MayStart(machines, ahead):
            fits = f"It fits {' and '.join(machines[:3])}"
            if ahead:
                return f"{fits}, but {count(ahead, 'job')} may go first."
            return f"{fits} and should start within seconds."
        case WaitsForRoom():
            return "It starts when what is short becomes free."
        case _:
            assert_never(conclusion)


_COLUMNS = (Column("MACHINE"), Column("FITS"), Column("WHY NOT NOW", 90, least=30))
_KINDS = {Fits.NOW: "good", Fits.LATER: "waiting", Fits.NEVER: "bad"}


def judgement_table(judgements: Sequence[Judgement], style: Style) -> list[str]:
    """Return the lines of the table: each reason has its own line, so none is shortened."""
    rows = []
    for one in judgements:
        first, *others = why_not_now(one) or [""]
        rows.append([Cell(one.machine), Cell(one.fits, _KINDS[one.fits]), Cell(first)])
        rows += [[Cell(""), Cell(""), Cell(reason)] for reason in others]
    return table(_COLUMNS, rows, style) if rows else []
