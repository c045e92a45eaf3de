"""What the worker and its collector say to each other: JSON objects, one a line.

The worker sends a request of one line; the collector answers with a line for each attempt in it, in
the same order, then with one that says that it is done. So if it falls silent, the worker knows at
which attempt. The collector may be of a newer mlq than the worker that starts it: names are only
ever added.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from mlq.metrics.advance import Advance
from mlq.metrics.usage import Sample

DONE = "done"

Attempt = tuple[str, int]


class Wanted(NamedTuple):
    """What the collector is to do about one attempt.

    Args:
        id, attempt: which one.
        patterns: the metrics that its user wants from the log: name, regular expression.
        started_s: when it started, unix time.
        cores, mem_mib, gpus: what its job asked for.
        gpu_model: what its GPUs are called; "" without one.
        reads: whether to read its files.
        is_last: whether it has ended: what is known goes into its `result.json`.
        samples: what it used, to be stored.
        notes: what its user should know beside its end.
        gpu_mib: the memory that each of its GPUs has; 0 if unknown.
    """

    id: str
    attempt: int
    patterns: tuple[tuple[str, str], ...] = ()
    started_s: float = 0.0
    cores: int = 1
    mem_mib: int = 0
    gpus: int = 0
    gpu_model: str = ""
    reads: bool = True
    is_last: bool = False
    samples: tuple[Sample, ...] = ()
    notes: tuple[str, ...] = ()
    gpu_mib: int = 0

    @property
    def key(self) -> Attempt:
        """Job id and attempt number."""
        return self.id, self.attempt


class Figures(NamedTuple):
    """What is known of one attempt, as its job's hash has it.

    Args:
        metrics: the extents of the job's metrics (`mlq.metrics.extent`).
        advance: how far the attempt is.
        used: sums and peaks of what it used (`mlq.metrics.usage`).
        notes: what its user should know.
    """

    metrics: str = ""
    advance: Advance = Advance()
    used: str = ""
    notes: tuple[str, ...] = ()


class Found(NamedTuple):
    """The collector's answer about one attempt.

    Args:
        id, attempt: which one.
        figures: what is known of it by now.
        trouble: why nothing more could be stored.
        is_behind: whether there is more to read, so that it should be asked again soon.
    """

    id: str
    attempt: int
    figures: Figures
    trouble: str = ""
    is_behind: bool = False

    @property
    def key(self) -> Attempt:
        """Job id and attempt number."""
        return self.id, self.attempt


def request_line(wanted: Sequence[Wanted]) -> bytes:
    """Return a request as the worker sends it."""
    return json.dumps([one._asdict() for one in wanted], separators=(",", ":")).encode() + b"\n"


def read_request(line: bytes) -> list[Wanted]:
    """Return what a request asks for.

    Raises:
        ValueError, TypeError: it is none.
    """
    return [_wanted(raw) for raw in json.loads(line)]


def _wanted(raw: dict[str, Any]) -> Wanted:
    known = {name: value for name, value in raw.items() if name in Wanted._fields}
    known["patterns"] = tuple((name, pattern) for name, pattern in raw["patterns"])
    known["samples"] = tuple(Sample(*one) for one in raw["samples"])
    known["notes"] = tuple(raw["notes"])
    return Wanted(**known)


def answer_line(found: Found | None) -> bytes:
    """Return an answer as the collector sends it; None: it is done."""
    return json.dumps(DONE if found is None else found, separators=(",", ":")).encode() + b"\n"


def read_answer(line: bytes) -> Found | None:
    """Return the answer on a line; None: the collector is done with the request.

    Raises:
        ValueError, TypeError: it is none.
    """
    raw = json.loads(line)
    if raw == DONE:
        return None
    job_id, attempt, (metrics, advance, used, notes), trouble, is_behind = raw
    figures = Figures(metrics, Advance(*advance), used, tuple(notes))
    return Found(job_id, attempt, figures, trouble, is_behind is True)
