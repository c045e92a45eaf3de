"""Jobs that ran out of memory by their own fault ask for more: a new text, signed like the first.

A worker runs only what is signed, and where a job fits follows from the signed text. So, as `mlq
edit` does, a worker that has the key reads the job's text, verifies it, changes what it asks for
and signs it anew. The server swaps the text in the same step in which it puts the job back: it is
never given out in between. No job asks for more than the largest machine has; what then fails says
so.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from mlq.api.editing import as_new_text, read_signed, verified
from mlq.errors import SignatureError
from mlq.jobs.placement import IDLE_GPU_SHARE, Fit, Offer, place
from mlq.jobs.request import Request
from mlq.jobs.spec import JobSpec
from mlq.machines.said import offer_of
from mlq.store.operations import Growth, Move, NewText
from mlq.store.store import Store
from mlq_worker.agent.diagnosis import in_words
from mlq_worker.agent.outcomes import with_reason

log = logging.getLogger(__name__)

WORTH = 1.1
"""A job is tried again only with at least this much more."""


def with_texts(
    moves: Sequence[Move], store: Store, key: bytes | None, lease_s: float
) -> list[Move]:
    """Return moves of which those that ask for more have a new text, or have become failures.

    Args:
        moves: to be made.
        store: the queue, which is asked only if one of them asks for more.
        key: the signing key, if this machine has it.
        lease_s: a machine not heard for longer is not counted on.
    """
    growing = {one.id: one.growth for one in moves if one.growth is not None}
    if not growing:
        return list(moves)
    texts = {row[0]: row[1:] for row in read_signed(store, list(growing))}
    heard = store.reads.machines().items()
    offers = [offer_of({**one, "machine": name}) for name, (at_s, one) in heard if at_s <= lease_s]

    def grown(move: Move, growth: Growth) -> Move:
        text, signature = texts.get(move.id, ("", ""))
        if key is None or not signature:
            return growth.otherwise
        try:
            spec = verified(text, signature, move.id, key)
        except SignatureError as error:
            log.warning("%s does not get more memory: %s", move.id, error)
            return growth.otherwise
        return settled(move, growth, spec, offers, lambda new: as_new_text(new, key))

    return [one if one.growth is None else grown(one, one.growth) for one in moves]


def settled(
    move: Move,
    growth: Growth,
    spec: JobSpec,
    offers: Iterable[Offer],
    signed: Callable[[JobSpec], NewText],
) -> Move:
    """Return the move with a new text; the one to be made otherwise if no machine has more.

    Args:
        move: puts the job back.
        growth: what it should ask for.
        spec: the job, verified.
        offers: of the machines that are there.
        signed: makes a signed text of a job.
    """
    if not spec.oom_retries:
        return growth.otherwise  # its hash said that its user agreed, its signed text does not
    wanted_mib = most_mib(spec.request, growth, offers)
    if wanted_mib < max(1, growth.had_mib) * WORTH:
        return _because(growth.otherwise, growth, "no machine has more")
    new = replace(spec, request=_asking(spec.request, growth, wanted_mib))
    made = _because(move, growth, f"trying with {in_words(wanted_mib)} ({growth.which})")
    return made._replace(text=signed(new), growth=None)


def most_mib(request: Request, growth: Growth, offers: Iterable[Offer]) -> int:
    """Return as much of what a job wants as one of the machines has when it is idle; 0 if none."""
    best = 0
    for offer in map(Offer.when_idle, offers):
        if growth.of_gpu:
            sizes = [int(one.total_mib * IDLE_GPU_SHARE) for one in offer.gpus]
        else:
            sizes = [offer.total_mem_mib]
        for size in {min(growth.wanted_mib, one) for one in sizes if one > best}:
            if size > best and isinstance(place(_asking(request, growth, size), offer), Fit):
                best = size
    return best


def _asking(request: Request, growth: Growth, mib: int) -> Request:
    return replace(request, vram_mib=mib) if growth.of_gpu else replace(request, mem_mib=mib)


def _because(move: Move, growth: Growth, why: str) -> Move:
    return with_reason(move, growth.machine, f"{move.fields['mlq_reason']}; {why}")
