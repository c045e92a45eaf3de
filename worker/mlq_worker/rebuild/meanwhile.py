"""Jobs that were enqueued into the emptied queue, under numbers that the lost one gave out before.

They were acknowledged, so they must not be lost; and what lies on the results root under their
numbers belongs to other jobs. So each is signed anew under a new number, in order, and takes its
place behind all older jobs. Dependencies among them are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mlq.copies.copy_format import CopiedJob
from mlq.errors import ServerError, SignatureError
from mlq.ids import is_job_id, order_key, place_in_line
from mlq.jobs.lifecycle import State
from mlq.jobs.signing import sign
from mlq.lenient import text_of
from mlq.store import restoring
from mlq.store.job_hashes import whole_jobs
from mlq.store.record import SignedJob, job_fields
from mlq.store.restoring import JobToRestore
from mlq.store.store import Store
from mlq_worker.rebuild.story import seconds
from mlq_worker.rebuild.survey import Signed, verified


def renumber(
    store: Store,
    begun: restoring.Begun,
    key: bytes,
    known: Mapping[str, str],
    tell: Callable[[str], None],
) -> dict[str, str]:
    """Give each such job a new number; return old id -> new id.

    Args:
        store: the queue.
        begun: how the restoring began.
        key: signs them anew.
        known: id -> signature of the queue's own jobs. A job with the same signature is the same
            job: its submission was sent again to the emptied queue.
        tell: is told of jobs that keep their number, since they cannot be signed.

    Raises:
        ServerError: one of them runs already.
    """
    new_ids = dict(begun.renumbered)
    if not begun.renumbers:
        return new_ids
    found = [one for one in restoring.enqueued_meanwhile(store, begun.high) if is_job_id(one)]
    jobs = []
    for old in sorted(found, key=order_key):
        job = _read(store, old)
        if known.get(old) == job.fields.get("mlq_signature"):
            restoring.drop(store, old)
        else:
            jobs.append(job)
    numbers = _new_numbers(store, [job.id for job in jobs], new_ids)
    for there in jobs:
        old = there.id
        number, member, index = old.partition("_")
        try:
            new = _renumbered(there, f"{numbers[number]}{member}{index}", key, new_ids)
        except SignatureError as error:
            tell(f"job {old}, enqueued meanwhile, is left out: {error.why}")
            continue
        restoring.restore(store, [new], {new.id: old})
        new_ids[old] = new.id
    restoring.renumbered(store)
    return new_ids


def _new_numbers(store: Store, ids: Sequence[str], new_ids: Mapping[str, str]) -> dict[str, str]:
    """Return old number -> new number; a sweep stays together, even one that is half renumbered."""
    known = {old.partition("_")[0]: new.partition("_")[0] for old, new in new_ids.items()}
    numbers = [one.partition("_")[0] for one in ids]
    left = list(dict.fromkeys(one for one in numbers if one not in known))
    first = store.reserve_numbers(len(left)) if left else 0
    return known | {old: str(new) for new, old in enumerate(left, first)}


def _read(store: Store, job_id: str) -> CopiedJob:
    (found,) = whole_jobs(store.client, [(job_id, "")])
    fields = {text_of(name): text_of(one) for name, one in found.fields.items()}
    return CopiedJob(job_id, fields, tuple(map(text_of, found.pending)))


def _renumbered(
    job: CopiedJob, new_id: str, key: bytes, new_ids: Mapping[str, str]
) -> JobToRestore:
    fields: dict[str, Any] = dict(job.fields)
    state = fields.pop("status", State.QUEUED)
    if state == State.STARTED:
        raise ServerError(
            f"job {job.id}, enqueued meanwhile, runs already",
            why="a worker of another queue has taken it",
            fix="wait until it has ended, or cancel it, then run `mlq server restore` again",
        )
    signed = Signed(fields.get("mlq_spec", ""), fields.get("mlq_signature", ""))
    old = verified(signed, job.id, key)
    after = tuple(new_ids.get(one, one) for one in old.after)
    sweeps = {one.partition("_")[0]: new.partition("_")[0] for one, new in new_ids.items()}
    names = {**sweeps, **new_ids}  # conditions name jobs, and sweeps by their number
    conditions = {names.get(one, one): how for one, how in old.conditions.items()}
    spec = replace(old, id=new_id, after=after, conditions=conditions)
    text = spec.canonical()
    flat = job_fields(SignedJob(spec, text, sign(key, text.encode())))
    fields |= dict(zip(map(str, flat[::2]), flat[1::2], strict=True))
    if "mlq_behind" in fields:
        fields["mlq_behind"] = new_ids.get(fields["mlq_behind"], fields["mlq_behind"])
    ended_s = seconds(fields.get("ended_at"))
    origin = str(fields.pop("origin", spec.job_class.name))
    return JobToRestore(
        id=new_id,
        order=place_in_line(new_id),
        job_class=spec.job_class.name if spec.member else origin,
        name=spec.name,
        state=state,
        fields=fields,
        pending=tuple(new_ids.get(one, one) for one in job.pending),
        ended_s=ended_s,
    )
