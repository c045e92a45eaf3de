"""Reads values from Redis so that no value found there can break the reader.

Only descriptions of jobs are signed. All other values may have been written by another version, by
rq's tools, or by a person with a stolen password. A value that is not what it should be counts as
missing: one spoilt job must neither hide the others from `mlq ls` nor stop a worker. Whether a job
may be run is not decided here.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any

from mlq.errors import InvalidInputError

# As Redis counts, and not so long that reading it takes time.
_LARGEST = 1e15
_WHOLE = re.compile(r"-?\d{1,15}", re.ASCII)


def text_of(raw: object) -> str:
    """Return bytes as text, with U+FFFD for each byte that is not UTF-8."""
    return raw.decode(errors="replace") if isinstance(raw, bytes) else str(raw)


def hash_of(reply: Any) -> dict[bytes, bytes]:
    """Return the reply to HGETALL: redis-py makes a dict of it, hiredis gives it flat."""
    if isinstance(reply, dict):
        return dict(reply)
    return dict(zip(reply[::2], reply[1::2], strict=True))


def int_or(text: object, otherwise: int = 0) -> int:
    """Return a whole number, or `otherwise` if it is none."""
    return int(str(text)) if _WHOLE.fullmatch(str(text)) else otherwise


def finite_or_zero(value: object) -> float:
    """Return a finite number that JSON gave, 0 if it is none."""
    return float(value) if isinstance(value, int | float) and abs(value) < _LARGEST else 0.0


@lru_cache(maxsize=1024)  # jobs submitted together share theirs
def iso_or_none(text: str) -> str | None:
    """Return an ISO 8601 time as it is, None if it is none."""
    from mlq.units import parse_iso

    if not text:
        return None
    try:
        parse_iso(text)
    except (InvalidInputError, ValueError, OverflowError):
        return None
    return text


def dict_or_empty(raw: bytes | str | None) -> dict[str, Any]:
    """Return a JSON object, empty if it is none."""
    try:
        found = json.loads(raw or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def list_or_empty(raw: bytes | str | None) -> list[Any]:
    """Return a JSON list, empty if it is none."""
    try:
        found = json.loads(raw or "[]")
    except (ValueError, RecursionError):
        return []
    return found if isinstance(found, list) else []
