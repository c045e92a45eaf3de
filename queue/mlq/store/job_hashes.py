"""Jobs as their hashes hold them: for the copy, for restoring, and for what plain rq stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from mlq.jobs.lifecycle import State
from mlq.lenient import hash_of, int_or, text_of
from mlq.store import keys
from mlq.store.templates import STORED, Raw, whole_specs

if TYPE_CHECKING:
    from mlq.store.client import Client

_SPEC = b"mlq_spec"


class WholeJob(NamedTuple):
    """All that the queue holds of a job that has not ended.

    Args:
        fields: of its hash, with its whole spec (`mlq.store.templates`); empty if the job is gone.
        pending: the jobs that it waits for.
        due: when it is due, if it is scheduled, as the server says it.
    """

    fields: dict[bytes, bytes]
    pending: list[bytes]
    due: bytes | float | None


def whole_jobs(client: Client, jobs: Sequence[tuple[str, str]]) -> list[WholeJob]:
    """Return the jobs with these ids and classes, in two round trips."""
    asked: list[tuple[str, ...]] = []
    for job_id, class_name in jobs:
        asked += (
            ("HGETALL", keys.job(job_id)),
            ("SMEMBERS", keys.dependencies(job_id)),
            ("ZSCORE", keys.registry(State.SCHEDULED, class_name), job_id),
        )
    replies = client.call_many(asked)
    hashes = [hash_of(one) for one in replies[::3]]
    raws = [
        Raw(job_id, *(text_of(fields.get(name.encode(), b"")) for name in STORED))
        for (job_id, _), fields in zip(jobs, hashes, strict=True)
    ]
    # A copy of a job must be complete without its template.
    for fields, raw, spec in zip(hashes, raws, whole_specs(client, raws), strict=True):
        if spec != raw.spec:
            fields[_SPEC] = spec.encode()
    return [
        WholeJob(fields, list(pending), due)
        for fields, pending, due in zip(hashes, replies[1::3], replies[2::3], strict=True)
    ]


def sweep_notes(client: Client) -> dict[str, dict[str, str]]:
    """Return what is stored of each sweep besides its members: number -> field -> text."""
    numbers = [text_of(one) for one in client.call("HVALS", keys.SWEEPS)]
    replies = client.call_many([("HGETALL", keys.sweep(one)) for one in numbers]) if numbers else []
    return {
        number: {text_of(name): text_of(value) for name, value in hash_of(reply).items()}
        for number, reply in zip(numbers, replies, strict=True)
    }


def returned(client: Client, job_id: str) -> bytes | None:
    """Return what a job's function returned, as JSON; None if nothing is stored."""
    found: bytes | None = client.call("HGET", keys.job(job_id), "result")
    return found


def stock_call(client: Client, job_id: str) -> tuple[bytes, int]:
    """Return the call that plain rq stored of a job, and its timeout in seconds; 0 if none."""
    data, timeout = client.call("HMGET", keys.job(job_id), "data", "timeout")
    return data or b"", int_or(text_of(timeout or b""))
