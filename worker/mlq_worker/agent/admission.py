"""From claims to attempts and orders: what is claimed is verified, given its GPUs and ordered."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from mlq.errors import SignatureError
from mlq.jobs.lifecycle import Event
from mlq.jobs.needs import needs_of
from mlq.jobs.placement import Fit, Offer, place
from mlq.jobs.request import JobClass
from mlq.jobs.spec import JobSpec
from mlq.lenient import text_of, whole
from mlq.settings.settings import Settings
from mlq.store.operations import Move
from mlq.store.replies import Claim
from mlq.store.store import Store
from mlq.units import utc_iso
from mlq_worker.agent.attempt_result import heard_result, one_line
from mlq_worker.agent.attempts import AttemptTable, LocalAttempt
from mlq_worker.agent.context import MachineContext
from mlq_worker.agent.orders import order, read_spec
from mlq_worker.agent.outcomes import History, refusal
from mlq_worker.launcher.prepare import JOB_NUMBER_REUSED

log = logging.getLogger(__name__)


class Admission:
    """Takes claims in.

    Args:
        context: this machine.
        store: the queue; asked only for jobs that came by plain rq.
    """

    def __init__(self, context: MachineContext, store: Store) -> None:
        self._context, self._store = context, store

    def take(
        self, claims: Sequence[Claim], offer: Offer, attempts: AttemptTable, now_s: float
    ) -> tuple[list[dict[str, Any]], list[Move]]:
        """Add what may run to the attempts; return the orders, and the moves of what may not.

        Args:
            claims: all of one class.
            offer: what was free when they were claimed.
            attempts: what the machine holds; grows.
            now_s: the worker's clock.
        """
        orders: list[dict[str, Any]] = []
        refused: list[Move] = []
        fitting = 0
        short = bool(claims) and attempts.is_short(claims[0].class_name)
        for claim in claims:
            held = attempts.by_key.get((claim.id, claim.attempt))
            if held is not None and held.signature in ("", claim.signature):
                continue  # the queue had forgotten it: it runs, and is ours again
            try:
                if held is not None:
                    raise SignatureError(
                        "another job of this number runs here", why=JOB_NUMBER_REUSED
                    )
                spec = self._spec(claim)
            except SignatureError as error:
                why = f"{error.what}: {error.why}" if error.why else error.what
                at = utc_iso(self._context.clocks.utc_s())
                refused.append(refusal((claim.id, claim.attempt), self._context.machine, why, at))
                continue
            if claim.signature and spec.job_class.name != claim.class_name:
                refused.append(_misplaced(claim, spec))
                continue
            fit = place(spec.request, offer)
            lane = short and not spec.request.gpus
            if isinstance(fit, Fit):
                fitting += 1
                offer = offer.minus(spec.request, fit)
            elif not lane or not spec.request.allows(offer.machine):
                refused.append(_handed_back(claim, spec, self._context.machine))
                continue
            gpu_uuids = fit.gpu_uuids if isinstance(fit, Fit) else ()
            gpus = tuple(gpu for gpu in offer.gpus if gpu.uuid in gpu_uuids)
            ordered = order(claim, spec, self._context, gpus)
            ordered["lane"] = claim.class_name if lane else None
            orders.append(ordered)
            attempts.add(_local(claim, spec, gpu_uuids, lane, now_s))
        if short and orders:
            self._widen(orders, claims[0].class_name, fitting, attempts)
        return orders, refused

    def _widen(
        self, orders: list[dict[str, Any]], class_name: str, fitting: int, attempts: AttemptTable
    ) -> None:
        before = attempts.lanes()[class_name]
        width = max(1, min(before.width, before.held - len(orders)) + fitting)
        attempts.widen(class_name, width)
        for ordered in orders:
            ordered["width"] = width

    def _spec(self, claim: Claim) -> JobSpec:
        if claim.signature:
            return read_spec(claim, self._context, b"")
        key = f"rq:job:{claim.id}"
        data, timeout = self._store.client.call("HMGET", key, "data", "timeout")
        limit_s = whole(text_of(timeout or b""))
        return read_spec(claim, self._context, data or b"", limit_s if limit_s > 0 else None)


def adopted(
    held: Mapping[str, Any],
    class_name: str,
    history: History,
    settings: Settings,
    now_s: float,
    utc_s: float,
) -> LocalAttempt:
    """Return the local of an attempt that the supervisor held before this worker came."""
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
        lane=ordered["lane"] is not None,
        started_s=now_s,
        time_limit_s=ordered["time_limit_s"],
        leader_pid=held["pid"],
        stopping=held["state"] == "stopping",
        returns=ordered["tag"]["returns"],
        needs=str(ordered["tag"].get("needs", "")),
        signature=ordered["tag"].get("signature", ""),
        result=held["result"] and heard_result(held["result"], settings.machine, utc_s),
    )


def _local(
    claim: Claim, spec: JobSpec, gpu_uuids: tuple[str, ...], lane: bool, now_s: float
) -> LocalAttempt:
    return LocalAttempt(
        attempt=(claim.id, claim.attempt),
        class_name=claim.class_name,
        request=spec.request,
        gpu_uuids=gpu_uuids,
        history=History(
            spec.retries, claim.failures, claim.losses, folder_faults=claim.folder_faults
        ),
        lane=lane,
        started_s=now_s,
        time_limit_s=spec.time_limit_s,
        returns=spec.function is not None,
        needs=needs_of(spec),
        signature=claim.signature,
    )


def _misplaced(claim: Claim, spec: JobSpec) -> Move:
    """Return the move of a job that somebody put into a class of jobs that ask for something else.

    What is signed decides where it runs: it goes back to its own class, and nothing is lost.
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
    # A job that waited in a class that asks for less would be claimed and handed back for ever.
    job_class = spec.job_class.name if claim.signature else ""
    return Move(
        claim.id,
        Event.RELEASE,
        claim.attempt,
        fields={"mlq_reason": reason},
        job_class=job_class,
    )
