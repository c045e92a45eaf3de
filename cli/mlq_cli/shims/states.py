"""mlq's jobs in Slurm's words: states, reasons, exit codes, times. Pure."""

from __future__ import annotations

from datetime import datetime

from mlq.jobs.lifecycle import State
from mlq.jobs.view import JobView
from mlq.units import parse_iso

PENDING, RUNNING, COMPLETED = "PENDING", "RUNNING", "COMPLETED"
FAILED, TIMEOUT, CANCELLED = "FAILED", "TIMEOUT", "CANCELLED"
OUT_OF_MEMORY, NODE_FAIL, REQUEUED = "OUT_OF_MEMORY", "NODE_FAIL", "REQUEUED"

COMPACT = {
    PENDING: "PD",
    RUNNING: "R",
    COMPLETED: "CD",
    FAILED: "F",
    TIMEOUT: "TO",
    CANCELLED: "CA",
    OUT_OF_MEMORY: "OOM",
    NODE_FAIL: "NF",
    REQUEUED: "RQ",
    "COMPLETING": "CG",
    "CONFIGURING": "CF",
    "SUSPENDED": "S",
    "PREEMPTED": "PR",
    "BOOT_FAIL": "BF",
    "DEADLINE": "DL",
    "STOPPED": "ST",
}
"""Slurm's states, and their short forms; mlq's jobs are in some of them."""

NO_DATE = "Unknown"
_KILLED = 9


def state_of(job: JobView) -> str:
    """Return a job's state as squeue has it."""
    if job.state == State.STARTED:
        return RUNNING
    if job.state == State.FINISHED:
        return COMPLETED
    if job.state == State.CANCELED:
        return CANCELLED
    if job.state == State.FAILED:
        return _failed(job.reason)
    return PENDING


def recorded(job: JobView) -> str:
    """Return a job's state as sacct has it: one that was queued again is REQUEUED until it runs."""
    state = state_of(job)
    return REQUEUED if state == PENDING and job.attempt else state


def _failed(reason: str) -> str:
    if reason.startswith("timeout"):
        return TIMEOUT
    if reason.startswith("out of memory") or " memory it asked for" in reason:
        return OUT_OF_MEMORY
    if "machine" in reason and "lost" in reason:
        return NODE_FAIL
    return FAILED


def why_waiting(job: JobView) -> str:
    """Return why a pending job waits, in Slurm's words; None for any other job."""
    if state_of(job) != PENDING:
        return "None"
    if job.held:
        return "JobHeldUser"
    if job.state == State.SCHEDULED:
        return "BeginTime"
    if job.state == State.DEFERRED:
        return "Dependency"
    return "Resources"


def exit_code(job: JobView) -> str:
    """Return a job's exit code and the signal that ended it: `1:0`, `0:9`."""
    if job.exit_code is not None:
        return f"{job.exit_code}:0"
    if "killed by" in job.reason or state_of(job) in (TIMEOUT, OUT_OF_MEMORY):
        return f"0:{_signal(job.reason)}"
    return "1:0" if state_of(job) in (FAILED, NODE_FAIL) else "0:0"


def _signal(reason: str) -> int:
    from signal import Signals

    word = reason.partition("killed by ")[2].split(",")[0].split(" ")[0]
    known = {one.name: int(one) for one in Signals}
    return known.get(word, _KILLED if "memory" in reason else 0)


def elapsed_s(job: JobView, now_s: float) -> int:
    """Return for how many seconds the present or last attempt of a job has run."""
    if job.started_at is None:
        return 0
    end_s = parse_iso(job.ended_at) if job.ended_at else now_s
    if state_of(job) == PENDING:
        return 0
    return max(0, int(end_s - parse_iso(job.started_at)))


def span(seconds: int, *, short: bool = False) -> str:
    """Return a time span: `1-02:03:04`, `02:03:04`; short as squeue has it: `2:03:04`, `3:04`."""
    minutes, secs = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}-{hours:02d}:{minutes:02d}:{secs:02d}"
    if not short:
        return f"{hours:02d}:{minutes:02d}:{secs:02d}"
    return f"{hours}:{minutes:02d}:{secs:02d}" if hours else f"{minutes}:{secs:02d}"


def moment(iso: str | None) -> str:
    """Return a time as Slurm prints it, in this machine's zone."""
    if iso is None:
        return NO_DATE
    return datetime.fromtimestamp(int(parse_iso(iso))).isoformat()


def array_of(job: JobView) -> tuple[str, str]:
    """Return the number of a job's array, or its own id, and its task number; "" if it has none."""
    number, _, task = job.id.partition("_")
    return number, job.params.get("array", task) if task else ""


def slurm_id(job: JobView) -> str:
    """Return a job's id in Slurm's form: `1042`, `1042_7`."""
    number, task = array_of(job)
    return f"{number}_{task}" if task else number
