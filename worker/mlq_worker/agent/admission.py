"""From claims to attempts and orders: claimed jobs are verified, given GPUs and ordered. Pure.

A job that must not run here goes back to the queue, or fails, with the reason.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from mlq.errors import MlqError, SignatureError
from mlq.jobs.lifecycle import Event
from mlq.jobs.needs import needs_of
from mlq.jobs.placement import Fit, GpuOffer, Offer, place
from mlq.jobs.request import JobClass
from mlq.jobs.spec import JobSpec
from mlq.settings.settings import Settings
from mlq.store.operations import Move
from mlq.store.replies import Attempt, Claim
from mlq.units import parse_iso, utc_iso
from mlq_worker.agent.attempt_result import heard_result, one_line
from mlq_worker.agent.attempts import AttemptTable
from mlq_worker.agent.context import MachineContext
from mlq_worker.agent.history import History
from mlq_worker.agent.local_attempt import LocalAttempt
from mlq_worker.agent.orders import memory_of, model_of, order, read_spec
from mlq_worker.agent.outcomes import refusal
from mlq_worker.ipc.values import Order
from mlq_worker.launcher.prepare import JOB_NUMBER_REUSED

log = logging.getLogger(__name__)


class RqData(NamedTuple):
    """What plain rq wrote about a job: its `data`, and its time limit in seconds (None: none)."""

    data: bytes = b""
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True)
class Claimed:
    """The jobs that a claim returned.

    Args:
        claims: all of one class.
        rq_data: the data of jobs that came by plain rq, by job id.
        claimed_s: when the claim was sent, on the worker's clock.
    """

    claims: tuple[Claim, ...]
    rq_data: Mapping[str, RqData]
    claimed_s: float

    @property
    def keys(self) -> frozenset[Attempt]:
        """Job id and attempt number of each."""
        return frozenset((one.id, one.attempt) for one in self.claims)


@dataclass(frozen=True, slots=True)
class Admitted:
    """The decision about claimed jobs.

    Args:
        attempts: those that run here from now on.
        orders: the supervisor's orders for them.
        refused: the moves of the other jobs.
        width: how many jobs of their class run at once, if they were claimed ahead.
    """

    attempts: tuple[LocalAttempt, ...]
    orders: tuple[Order, ...]
    refused: tuple[Move, ...]
    width: int | None = None


class _Accepted(NamedTuple):
    claim: Claim
    spec: JobSpec
    gpus: tuple[GpuOffer, ...]
    fits: bool


def admit(
    claimed: Claimed, offer: Offer, attempts: AttemptTable, context: MachineContext, utc_s: float
) -> Admitted:
    """Decide which claimed jobs run here, and what becomes of the others.

    Args:
        claimed: the claims.
        offer: the resources that are free for them.
        attempts: the attempts that the machine holds already.
        context: this machine.
        utc_s: unix time, for the record.
    """
    accepted: list[_Accepted] = []
    refused: list[Move] = []
    claims = claimed.claims
    short = bool(claims) and attempts.prefetch.is_short(claims[0].class_name)
    for claim in claims:
        held = attempts.by_key.get((claim.id, claim.attempt))
        if held is not None and held.signature in ("", claim.signature):
            continue  # the queue had forgotten it; it runs here already, and is leased again
        try:
            if held is not None:
                raise SignatureError("another job of this number runs here", why=JOB_NUMBER_REUSED)
            rq = claimed.rq_data.get(claim.id, RqData())
            spec = read_spec(claim, context, rq.data, rq.timeout_s)
        except SignatureError as error:
            why = f"{error.what}: {error.why}" if error.why else error.what
            at = utc_iso(utc_s)
            refused.append(refusal((claim.id, claim.attempt), context.machine, why, at))
            continue
        if claim.signature and spec.job_class.name != claim.class_name:
            refused.append(_misplaced(claim, spec))
            continue
        fit = place(spec.request, offer)
        if isinstance(fit, Fit):
            gpus = tuple(gpu for gpu in offer.gpus if gpu.uuid in fit.gpu_uuids)
            accepted.append(_Accepted(claim, spec, gpus, fits=True))
            offer = offer.after(spec.request, fit)
        elif short and not spec.request.gpus and spec.request.allows(offer.machine):
            accepted.append(_Accepted(claim, spec, (), fits=False))
        else:
            refused.append(_handed_back(claim, spec, context.machine))
    return _admitted(accepted, refused, attempts, context, claimed.claimed_s, short=short)


def _admitted(
    accepted: Sequence[_Accepted],
    refused: Sequence[Move],
    attempts: AttemptTable,
    context: MachineContext,
    claimed_s: float,
    *,
    short: bool,
) -> Admitted:
    width = None
    if short and accepted:
        fitting = sum(one.fits for one in accepted)
        class_name = accepted[0].claim.class_name
        width = attempts.prefetch.wider(class_name, attempts.active(), fitting)
    orders, local = [], []
    for claim, spec, gpus, _ in accepted:
        prefetched = short and not spec.request.gpus
        made = order(claim, spec, context, gpus, width if prefetched else None)
        orders.append(made)
        held = _local(claim, spec, gpus, claimed_s, prefetched=prefetched)
        held.params = str(made.tag.get("params", ""))
        local.append(held)
    return Admitted(tuple(local), tuple(orders), tuple(refused), width)


def adopted(
    held: Mapping[str, Any],
    class_name: str,
    history: History,
    settings: Settings,
    now_s: float,
    utc_s: float,
) -> LocalAttempt:
    """Return an attempt that the supervisor held before this worker came."""
    ordered = held["order"]
    job_class = JobClass.parse(
        class_name or ordered["tag"]["class"], default_mem_mib=settings.default_mem_mib
    )
    return LocalAttempt(
        attempt=(held["id"], held["attempt"]),
        class_name=job_class.name,
        request=job_class.request,
        gpu_uuids=tuple(ordered["tag"]["gpu_uuids"]),
        history=history,
        prefetched=ordered["lane"] is not None,
        started_s=now_s,
        time_limit_s=ordered["time_limit_s"],
        leader_pid=held["pid"],
        stopping=held["state"] == "stopping",
        returns=ordered["tag"]["returns"],
        needs=str(ordered["tag"].get("needs", "")),
        signature=ordered["tag"].get("signature", ""),
        patterns=_patterns(ordered["tag"].get("metrics")),
        began_s=began_s(held["started_at"]),
        adopted=True,
        gpu_model=str(ordered["tag"].get("gpu_model", "")),
        gpu_mib=int(ordered["tag"].get("gpu_mib", 0)),
        params=str(ordered["tag"].get("params", "")),
        result=held["result"] and heard_result(held["result"], settings.machine, utc_s),
    )


def began_s(started_at: object) -> float:
    """Return when an attempt started, as the supervisor says it, as unix time; 0 if unknown."""
    try:
        return parse_iso(str(started_at))
    except (MlqError, ValueError):
        return 0.0


def _patterns(raw: object) -> tuple[tuple[str, str], ...]:
    """Return the metrics of an order's tag; an order of an older worker has none."""
    return (
        tuple((str(name), str(one)) for name, one in raw.items()) if isinstance(raw, dict) else ()
    )


def _local(
    claim: Claim, spec: JobSpec, gpus: Sequence[GpuOffer], claimed_s: float, *, prefetched: bool
) -> LocalAttempt:
    return LocalAttempt(
        attempt=(claim.id, claim.attempt),
        class_name=claim.class_name,
        request=spec.request,
        gpu_uuids=tuple(gpu.uuid for gpu in gpus),
        history=History(
            spec.retries,
            claim.failures,
            claim.losses,
            folder_faults=claim.folder_faults,
            request=spec.request,
            oom_retries=spec.oom_retries,
            ooms=claim.ooms,
            crowded=claim.crowded,
            requeue=spec.requeue,
            soon_asked=claim.soon_asked,
        ),
        prefetched=prefetched,
        started_s=claimed_s,
        time_limit_s=spec.time_limit_s,
        returns=spec.function is not None,
        needs=needs_of(spec),
        signature=claim.signature,
        patterns=tuple(spec.metrics.items()),
        gpu_model=model_of(gpus),
        gpu_mib=memory_of(gpus),
    )


def _misplaced(claim: Claim, spec: JobSpec) -> Move:
    """Return the move of a job that waited in a class other than its own.

    The signed text decides the class: the job goes back to its own class, and nothing is lost.
    """
    wanted = spec.job_class.name
    log.warning("job %s waited in %s; it was signed for %s", claim.id, claim.class_name, wanted)
    reason = f"moved back to {wanted}, which it was signed for: it waited in {claim.class_name}"
    return Move(
        claim.id,
        Event.RELEASE,
        claim.attempt,
        fields={"mlq_reason": one_line(reason)},
        job_class=wanted,
    )


def _handed_back(claim: Claim, spec: JobSpec, machine: str) -> Move:
    reason = f"handed back: it no longer fits {machine}"
    # A job in a class that asks for less than the job needs would be claimed and handed back for
    # ever.
    job_class = spec.job_class.name if claim.signature else ""
    return Move(
        claim.id,
        Event.RELEASE,
        claim.attempt,
        fields={"mlq_reason": reason},
        job_class=job_class,
    )
