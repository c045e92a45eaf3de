"""Why a job waits: for each machine, what is short.

Pure. The decision itself is `placement.place`, the function the worker asks before it claims, so
this answer cannot disagree with what really happens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlq.jobs.placement import Misfit, Shortage, place
from mlq.jobs.request import Request
from mlq.lenient import number
from mlq.machines.said import listed, offer_of
from mlq.units import format_mib
from mlq_cli.render.machines import lacking, remarks
from mlq_cli.render.words import count

_HEAVY_LOAD = 0.5


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one machine says to a job.

    `answer` is "now" (it fits), "later" (it would fit if the machine were empty and well) or
    "never"; `why` are the reasons for not now.
    """

    machine: str
    answer: str
    why: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the verdict as `mlq explain --json` prints it."""
        return {"machine": self.machine, "fits": self.answer, "why": list(self.why)}


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What besides its size matters to a job: who reserved what, what it avoids and needs."""

    job_id: str
    reservations: Mapping[str, str]
    avoids: str = ""
    needs: str = ""


def verdict(
    request: Request,
    record: Mapping[str, Any],
    heard_s: float,
    lease_s: float,
    around: Circumstances,
) -> Verdict:
    """Return what a machine says to a job.

    Args:
        request: what the job asks for.
        record: what the machine last said of itself, with its name under `machine`.
        heard_s: how long ago that was.
        lease_s: a machine not heard for longer is not counted on.
        around: the circumstances.
    """
    machine = str(record["machine"])
    fit = place(request, offer_of(record))
    short_of_gpus = isinstance(fit, Misfit) and request.gpus
    needed = [one for one in lacking(record) if one.get("word") in around.needs.split()]
    note = record.get("gpu_note") if short_of_gpus else ""
    record = {**record, "lacks": needed, "gpu_note": note}
    why = [
        remark
        for remark in remarks(heard_s, record, lease_s)
        if short_of_gpus or not remark.startswith(("no GPUs", "not all GPUs"))
    ]
    shortages = fit.shortages if isinstance(fit, Misfit) else ()
    if record.get("gpu_fault"):
        # While the driver is at fault nobody knows how many GPUs there are; the remark says it.
        shortages = tuple(one for one in shortages if not one.resource.startswith("gpus"))
    why += [_short(shortage, request, record) for shortage in shortages]
    for other, reserved in around.reservations.items():
        if reserved == machine and other != around.job_id:
            why.append(f"kept free for job {other}, which has waited long")
    if around.avoids == machine:
        why.append("this job failed or was lost here, so others go first for a moment")
    answer = "now" if not why else ("later" if all(one.ever for one in shortages) else "never")
    return Verdict(machine, answer, tuple(why))


def _short(shortage: Shortage, request: Request, record: Mapping[str, Any]) -> str:
    if shortage.resource.startswith("machine named"):
        return f"its name is not {request.machine}"
    sized = shortage.resource in {"mem_mib", "vram_mib"}
    amount = format_mib if sized else str
    needed, free, total = (amount(n) for n in (shortage.needed, shortage.free, shortage.total))
    noun = _noun(shortage, request)
    if not shortage.ever:
        return f"{needed} {noun} needed, it has {total} in all"
    return f"{needed} {noun} needed, {free} of {total} free{_others(shortage, record)}"


def _noun(shortage: Shortage, request: Request) -> str:
    if shortage.resource == "mem_mib":
        return "of memory"
    if shortage.resource == "vram_mib":
        return "of GPU memory"
    if shortage.resource == "cores":
        return "core" if shortage.needed == 1 else "cores"
    gpus = "GPU" if shortage.needed == 1 else "GPUs"
    return (
        f"{gpus} with {format_mib(request.vram_mib)} free" if request.vram_mib else f"idle {gpus}"
    )


def _others(shortage: Shortage, record: Mapping[str, Any]) -> str:
    load = number(record.get("foreign_load"))
    if shortage.resource == "cores" and load >= _HEAVY_LOAD:
        return f" ({_whose(record, load)}, which yield_to_others leaves alone)"
    return ""


def _whose(record: Mapping[str, Any], load: float) -> str:
    """Return who keeps cores busy besides the queue, as far as the machine said."""
    users = [one for one in listed(record, "foreign_users") if isinstance(one, Mapping)]
    said = [
        f"{one.get('user') or 'your own other processes'} {number(one.get('cores')):.1f}"
        for one in users
    ]
    return f"others use {load:.1f}" + (f": {', '.join(said)}" if said else "")


def conclusion(
    job_id: str, verdicts: Sequence[Verdict], ahead: int, reservations: Mapping[str, str]
) -> str:
    """Return in one sentence what a queued job waits for.

    Args:
        job_id: the job.
        verdicts: what each known machine says.
        ahead: how many queued jobs come before it.
        reservations: job -> machine that is kept free for it.
    """
    if not verdicts:
        return "No machine works for this queue. Start one there with: mlq worker start"
    if job_id in reservations:
        return (
            f"{reservations[job_id]} is kept free for it: only jobs that end in time start there."
        )
    if all(one.answer == "never" for one in verdicts):
        return "No known machine could ever run it. Cancel it and ask for less."
    now = [one.machine for one in verdicts if one.answer == "now"]
    if now and ahead:
        return f"It fits {' and '.join(now[:3])}, but {count(ahead, 'job')} may go first."
    if now:
        return f"It fits {' and '.join(now[:3])} and should start within seconds."
    return "It starts when what is short becomes free."
