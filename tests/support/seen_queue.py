"""Jobs, sweeps and machines as the queue reports them, for tests that need no queue."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mlq.files.layout import Layout
from mlq.jobs.view import FIELDS, JobView, view
from mlq.store.reads import SweepSeen
from mlq_cli.top.snapshot import Snapshot

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
"""Ten seconds after the jobs were submitted and started."""


def job(job_id: str, state: str = "queued", **fields: Any) -> JobView:
    """Return a job; `fields` are those of the view."""
    row = dict.fromkeys(FIELDS, "") | {
        "status": state,
        "origin": "p0.c1.m2048.g0.v0",
        "description": f"python train.py --of {job_id}",
        "created_at": "2026-01-01T11:59:50Z",
    }
    seen = view([job_id, *(row[one] for one in FIELDS)], Layout(Path("/root")), 2048)
    if state == "started":
        fields = {"started_at": "2026-01-01T11:59:50Z", "machine": "gpu07", "attempt": 1} | fields
    return seen._replace(**fields)


def sweep(number: int, counts: dict[str, int], **fields: Any) -> SweepSeen:
    """Return a sweep with so many members in each state."""
    members = sum(many for state, many in counts.items() if state != "held")
    plain = SweepSeen(number, f"sweep-{number}", "", "", members, counts, 0, 0, 0, 0.0, "", 0.0)
    return plain._replace(**fields)


def snapshot(*jobs: JobView, **fields: Any) -> Snapshot:
    """Return what the queue said."""
    return Snapshot(NOW.timestamp(), list(jobs), fields.pop("sweeps", []), **fields)


def machine(**record: Any) -> tuple[float, dict[str, Any]]:
    """Return a machine that was heard just now."""
    plain = {"cores_total": 8, "cores_free": 3, "mem_total_mib": 65536, "mem_free_mib": 32768}
    return 1.0, {**plain, **record}
