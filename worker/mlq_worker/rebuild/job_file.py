"""Reads `job.json`, and tells a job that was signed with this queue's key from anything else."""

from __future__ import annotations

import json
from typing import NamedTuple

from mlq.errors import SignatureError
from mlq.jobs.signing import verify
from mlq.jobs.spec import JobSpec
from mlq.jobs.strict_spec import NotStrictError, parse_spec


class Signed(NamedTuple):
    """A job's text and its signature, as they were submitted."""

    text: str
    signature: str


def parse_job_file(raw: bytes) -> Signed:
    """Return what a `job.json` holds.

    Raises:
        ValueError: it is none; the message reads after "it".
    """
    try:
        value = json.loads(raw)
        spec, signature = value["spec"], value["signature"]
        text = json.dumps(spec, sort_keys=True, separators=(",", ":"))
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValueError("is damaged") from None
    return Signed(text, str(signature))


def verified(signed: Signed, job_id: str, key: bytes) -> JobSpec:
    """Return a job that this queue's key has signed.

    Raises:
        SignatureError: it has not, or not under this id.
    """
    verify(key, signed.text.encode(errors="replace"), signed.signature)
    try:
        spec = parse_spec(signed.text)
    except NotStrictError as error:
        raise SignatureError("the job cannot be read", why=f"{error}; is this mlq older?") from None
    if spec.id != job_id:
        raise SignatureError("the job is a copy", why=f"it was signed as {spec.id}")
    return spec
