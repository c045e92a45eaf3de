"""Adds what was measured to the `result.json` that the launcher has written.

Invariant: the file stays the result that it was. What is not there, cannot be read or is not the
result of this attempt stays as it is, and what is added never makes the file larger than a result
may be.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from mlq.files.strict_files import RESULT_BYTES, Content
from mlq.files.strict_json import parse
from mlq.metrics.extent import metrics_text, parse_metrics
from mlq_worker.collector.folder import AttemptFolder
from mlq_worker.collector.protocol import Attempt, Figures

NAME = "result.json"


def add_to_result(folder: AttemptFolder, attempt: Attempt, figures: Figures, used: Any) -> None:
    """Add an attempt's figures to its result.

    Args:
        folder: the attempt's folder.
        attempt: whose result it must be.
        figures: what to add.
        used: what it used, as JSON.

    Raises:
        OSError: it could not be written; the result is as it was.
    """
    found = folder.read(NAME, RESULT_BYTES)
    if not isinstance(found, Content):
        return
    try:
        raw = parse(found.data)
    except ValueError:
        return
    if not isinstance(raw, dict) or (raw.get("id"), raw.get("attempt")) != attempt:
        return
    advance = {name: one for name, one in figures.advance._asdict().items() if one is not None}
    added = {"advance": advance, "used": used, "notes": _notes(raw.get("notes"), figures.notes)}
    new = raw | {name: one for name, one in added.items() if one}
    try:
        data = _with_metrics(new, figures.metrics)
    except ValueError:
        return  # a figure that a job forged is no number that JSON has
    if data != found.data and len(data) <= RESULT_BYTES:
        folder.replace(NAME, data, flush=True)


def _notes(known: object, more: Iterable[str]) -> list[Any]:
    notes = list(known) if isinstance(known, list) else []
    return notes + [one for one in more if one not in notes]


def _with_metrics(raw: dict[str, Any], metrics: str) -> bytes:
    """Return a result as a file holds it, with as many of these metrics as there is room for.

    Raises:
        ValueError: a number of it is NaN or infinite.
    """
    extents = parse_metrics(metrics)
    while extents:
        data = json.dumps(raw | {"metrics": metrics_text(extents)}, allow_nan=False).encode("ascii")
        if len(data) <= RESULT_BYTES:
            return data
        extents = dict(list(extents.items())[: len(extents) // 2])
    return json.dumps(raw, allow_nan=False).encode("ascii")
