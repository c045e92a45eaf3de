"""What a copy of the queue's jobs looks like, so that any version can read it.

A copy is a gzip file of JSON lines. The first line is the header, the last one the number of jobs,
so a reader notices a copy that was cut off. Between them is a line for each job:

    {"id": "1042", "fields": {...}, "pending": ["1041"], "due": null}

`fields` are all fields of the job's hash, whatever their names, so fields that another version or
rq's tools added to a job survive. `pending` are the jobs that it still waits for, `due` is when it
is due if it is scheduled (unix time of the server). Bytes that are not UTF-8 are written as lone
surrogates.
"""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from mlq.errors import StorageError
from mlq.ids import is_number, is_valid_id
from mlq.lenient import finite_or_zero, int_or

FORMAT = 1
LARGEST_BYTES = 4 * 1024**3  # unpacked; 100,000 jobs take 0.2 GB
_LARGEST_NUMBER = 10**15
_LONGEST_LINE = 64 * 1024**2


class Header(NamedTuple):
    """What a copy says of itself.

    Args:
        queue: the id of the queue.
        last_number: the last job number given out.
        at_s: when it was made, unix time of the queue's server.
        machine: who made it.
        jobs: how many jobs it holds that had not ended.
        ended: how many it holds that had, because the results root alone does not tell their end.
        sweeps: number -> what the queue notes of a sweep beside its members.
        pools: id -> text of each pool of pilots (`mlq.pilots.pool`).
    """

    queue: str
    last_number: int
    at_s: float
    machine: str
    jobs: int
    ended: int
    sweeps: Mapping[str, Mapping[str, str]] = MappingProxyType({})
    pools: Mapping[str, str] = MappingProxyType({})


class CopiedJob(NamedTuple):
    """A job as the queue had it."""

    id: str
    fields: dict[str, str]
    pending: tuple[str, ...] = ()
    due_s: float | None = None


class Copy(NamedTuple):
    """A copy as it was read; `damaged` describes the lines that are not jobs."""

    header: Header
    jobs: dict[str, CopiedJob]
    damaged: tuple[str, ...] = ()


def job_line(
    job_id: str,
    fields: Mapping[bytes, bytes],
    pending: Sequence[bytes],
    due: bytes | float | None,
) -> bytes:
    """Return the line of a job, from the replies of the server."""
    value = {
        "id": job_id,
        "fields": {_surrogates(name): _surrogates(one) for name, one in fields.items()},
        "pending": sorted(one.decode(errors="replace") for one in pending),
        "due": None if due is None else float(due),
    }
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def _surrogates(raw: bytes) -> str:
    return raw.decode(errors="surrogateescape")


def packed(lines: bytes) -> bytes:
    """Return lines as a gzip member; members one after the other are one gzip file."""
    return gzip.compress(lines, compresslevel=1, mtime=0)


def header_lines(header: Header) -> bytes:
    """Return the first line."""
    sweeps = {number: dict(fields) for number, fields in header.sweeps.items()}
    value = {"mlq_copy": FORMAT, **header._asdict(), "sweeps": sweeps, "pools": dict(header.pools)}
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def last_line(header: Header) -> bytes:
    """Return the last line."""
    return json.dumps({"end": header.jobs + header.ended}).encode() + b"\n"


def parsed(raw: bytes, where: str) -> Copy:
    """Read a copy.

    Args:
        raw: the file's content.
        where: its name, for messages.

    Raises:
        StorageError: it is not a copy, was cut off, or comes from a newer mlq.
    """
    lines = _lines(raw, where)
    try:
        header = _header(json.loads(next(lines)), where)
    except (ValueError, StopIteration, RecursionError):
        raise _damaged(where, "it has no header") from None
    jobs: dict[str, CopiedJob] = {}
    damaged: list[str] = []
    told: int | None = None
    count = 0
    for line in lines:
        told = _end_of(line)
        if told is not None:
            break
        count += 1
        job = _job(line)
        if job is None:
            damaged.append(f"{where}: line {count + 1} is no job")
        else:
            jobs[job.id] = job
    if told != count:
        raise _damaged(where, f"it breaks off after {count} jobs")
    return Copy(header, jobs, tuple(damaged))


def _lines(raw: bytes, where: str) -> Iterator[bytes]:
    """Yield the lines, piece by piece: a small file may unpack to a huge one."""
    size = 0
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(raw)) as file:
            while line := file.readline(_LONGEST_LINE):
                size += len(line)
                if size > LARGEST_BYTES:
                    raise _damaged(where, "it is far too large")
                yield line
    except (EOFError, OSError, zlib.error) as error:
        raise _damaged(where, str(error)) from None


def _header(value: Any, where: str) -> Header:
    if not isinstance(value, dict) or not isinstance(value.get("mlq_copy"), int):
        raise _damaged(where, "it has no header")
    if value["mlq_copy"] > FORMAT:
        raise StorageError(f"{where} was written by a newer mlq", fix="update mlq here")
    last = int_or(value.get("last_number"))
    return Header(
        str(value.get("queue", "")),
        last if 0 <= last < _LARGEST_NUMBER else 0,
        finite_or_zero(value.get("at_s")),
        str(value.get("machine", "")),
        int_or(value.get("jobs")),
        int_or(value.get("ended")),
        _sweeps(value.get("sweeps")),
        _texts(value.get("pools")),
    )


def _sweeps(value: Any) -> dict[str, dict[str, str]]:
    """Read what is noted of sweeps; a copy of an older mlq has none."""
    found = value.items() if isinstance(value, dict) else ()
    return {
        number: _texts(fields)
        for number, fields in found
        if is_number(number) and isinstance(fields, dict)
    }


def _texts(value: Any) -> dict[str, str]:
    found = value.items() if isinstance(value, dict) else ()
    return {name: text for name, text in found if isinstance(text, str)}


def _end_of(line: bytes) -> int | None:
    if not line.startswith(b'{"end":'):
        return None
    try:
        return int_or(json.loads(line)["end"], -1)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _job(line: bytes) -> CopiedJob | None:
    try:
        value = json.loads(line)
        job_id, fields = value["id"], value["fields"]
        pending, due = value.get("pending", []), value.get("due")
    except (ValueError, KeyError, TypeError, RecursionError, AttributeError):
        return None
    if not (isinstance(job_id, str) and is_valid_id(job_id) and _are_texts(fields)):
        return None
    if not isinstance(pending, list):
        return None
    ids = tuple(one for one in pending if isinstance(one, str) and is_valid_id(one))
    return CopiedJob(job_id, fields, ids, None if due is None else finite_or_zero(due))


def _are_texts(fields: object) -> bool:
    return isinstance(fields, Mapping) and all(isinstance(one, str) for one in fields.values())


def _damaged(where: str, why: str) -> StorageError:
    return StorageError(f"{where} cannot be read", why=why)
