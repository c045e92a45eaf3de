"""The names of the keys in Redis, for Python and, through the loader, for Lua.

The top of `lua/_prelude.lua` says what each key holds.
"""

from __future__ import annotations

from mlq.jobs.lifecycle import State

QUEUE_ID = "mlq:queue_id"
ROOT = "mlq:root"
LAST_NUMBER = "mlq:last_number"
JOBS = "mlq:jobs"
UNENDED = "mlq:unended"
ENDED = "mlq:ended"
LEASES = "mlq:leases"
DELETED = "mlq:deleted"
PAUSED = "mlq:paused"
SWEEPS = "mlq:sweeps"
REFUSED_NAMES = "mlq:refused_names"
RESTORING = "mlq:restoring"
RESTORED = "mlq:restored"
RENUMBERED = "mlq:restoring:renumbered"
WAKE = "mlq:wake"
"""A channel."""

INDEXES = {"jobs": JOBS, "unended": UNENDED, "ended": ENDED}
"""The sets of jobs, by the name that callers give to each."""

REGISTRIES = {
    State.DEFERRED: "rq:deferred:",
    State.SCHEDULED: "rq:scheduled:",
    State.QUEUED: "rq:queue:",
    State.STARTED: "rq:wip:",
    State.FINISHED: "rq:finished:",
    State.FAILED: "rq:failed:",
    State.CANCELED: "rq:canceled:",
}
"""The keys in which rq keeps the jobs of each state, without the name of the class."""


def registry(state: State, class_name: str) -> str:
    """Return the key that keeps the jobs of a state and class."""
    return REGISTRIES[state] + class_name


def job(job_id: str) -> str:
    """Return the key of a job's hash."""
    return f"rq:job:{job_id}"


def dependencies(job_id: str) -> str:
    """Return the key of the set of jobs that a job waits for."""
    return f"rq:job::{job_id}:dependencies"


def sweep(number: int | str) -> str:
    """Return the key of the hash of a sweep."""
    return f"mlq:sweep:{number}"


def members(number: int | str) -> str:
    """Return the key of the hash of a sweep's members."""
    return f"mlq:members:{number}"


def template(digest: str) -> str:
    """Return the key of what jobs have in common."""
    return f"mlq:template:{digest}"


def past(word: str) -> str:
    """Return the key of what finished runs of a command used."""
    return f"mlq:past:{word}"


def machine(name: str) -> str:
    """Return the key of what a machine last said of itself."""
    return f"mlq:machine:{name}"
