"""Which Python environment an attempt had, as the machine that ran it has noted on the root.

The root may hang, and `mlq show` must not: callers wait only for a limited time.
"""

from __future__ import annotations

import json
from typing import Any

from mlq.files.layout import Layout
from mlq.files.strict_files import MIB, Content, read_file
from mlq.threads import run_at_most

_PATIENCE_S = 2.0
_NOTE_BYTES, _RECORD_BYTES = 4096, 4 * MIB


def environment_of(layout: Layout, job_id: str, attempt: int) -> dict[str, Any] | None:
    """Return the environment of an attempt; None if it had none, or that is unknown.

    Args:
        layout: of the results root.
        job_id: the job.
        attempt: its number.
    """
    if not attempt or not layout.root.is_absolute():
        return None
    note = _read(layout, f"{layout.folder(job_id).attempt_dir(attempt)}/holder.json", _NOTE_BYTES)
    name = note.get("environment")
    if not isinstance(name, str) or not name.isalnum():
        return None
    return _read(layout, f"{layout.root}/environments/{name}.json", _RECORD_BYTES) or None


def environments_of(layout: Layout, attempts: dict[str, int]) -> dict[str, dict[str, Any]]:
    """Return the environments of these jobs' attempts, as far as the root answers in time."""
    found: dict[str, dict[str, Any]] = {}

    def read() -> None:
        for job_id, attempt in attempts.items():
            one = environment_of(layout, job_id, attempt)
            if one is not None:
                found[job_id] = one

    run_at_most(_PATIENCE_S, read, "environments")
    return dict(found)


def _read(layout: Layout, path: str, most_bytes: int) -> dict[str, Any]:
    read = read_file(layout.root, path, most_bytes)
    try:
        found = json.loads(read.data) if isinstance(read, Content) else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
