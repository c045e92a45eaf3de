"""What a machine publishes about itself in the queue: our own record, and a stock rq worker hash.

Our record feeds `mlq machines` and `mlq explain`; the rq hash makes `rq info` and rq-dashboard show
the machine as a worker.
"""

from __future__ import annotations

import os
import platform
import pwd
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import mlq
from mlq.jobs.placement import Offer
from mlq.units import utc_iso
from mlq_worker.agent.attempts import AttemptTable
from mlq_worker.ipc.messages import GuestNews
from mlq_worker.probes.machine import MachineReport


@dataclass(frozen=True, slots=True)
class WorkerHealth:
    """The state of a worker.

    Args:
        supervisor_id: the id of its supervisor.
        started_s: unix time at which the worker started.
        note: why it takes no jobs; "" if it does.
        unwell: what is wrong but not fatal, such as "NFS not answering"; "" if nothing.
        tunnel: whether a tunnel leads from it to the queue.
        lacks: what jobs did not find on the machine (`mlq_worker.agent.absences`).
        refused_moves: which moves the queue refuses, in words (`mlq_worker.agent.backoff`).
        aside: why the machine was set aside (`mlq_worker.agent.probation`).
        clock_off_s: by how many seconds its clock is ahead of the queue's; None if unknown.
        allocation: the allocation that it runs in, in words; "" if in none.
        guest: how it gives way to others.
    """

    supervisor_id: str
    started_s: float
    note: str
    unwell: str
    tunnel: bool = False
    lacks: Sequence[Mapping[str, str | float]] = ()
    refused_moves: str = ""
    aside: Mapping[str, Any] = field(default_factory=dict)
    clock_off_s: float | None = None
    allocation: str = ""
    guest: GuestNews = field(default_factory=GuestNews)
    kept_for_others: tuple[int, int] = (0, 0)  # cores, and memory in MiB


OLD_SUPERVISOR = "its supervisor is of an older mlq and makes no copies of code; its jobs end first"


def cannot_do(words: Iterable[str]) -> list[dict[str, str | float]]:
    """Return what a supervisor cannot do, in the form of what is missing on a machine."""
    return [{"word": word, "reason": OLD_SUPERVISOR, "missed_s_ago": 0.0} for word in sorted(words)]


def machine_record(
    report: MachineReport, offer: Offer, attempts: AttemptTable, health: WorkerHealth
) -> dict[str, Any]:
    """Return a machine's record, as JSON values.

    Args:
        report: the last look at the machine.
        offer: the resources that are free for new jobs.
        attempts: the attempts that it holds.
        health: the state of its worker.
    """
    busy = {gpu.uuid: round(gpu.busy, 2) for gpu in report.gpus.gpus if gpu.busy is not None}
    return {
        "machine": report.machine,
        "boot_id": report.boot_id,
        "supervisor_id": health.supervisor_id,
        "pid": os.getpid(),
        "version": mlq.__version__,
        "cores_total": offer.total_cores,
        "cores_free": offer.cores,
        "foreign_load": 0.0 if health.allocation else round(report.cores.foreign_load, 2),
        "foreign_users": [
            {"user": user_of(uid), "cores": round(cores, 2)}
            for uid, cores in (() if health.allocation else report.cores.by_user)
        ],
        "kept_cores": health.kept_for_others[0],
        "kept_mem_mib": health.kept_for_others[1],
        "mem_total_mib": offer.total_mem_mib,
        "mem_free_mib": offer.mem_mib,
        "gpus": [
            {
                "uuid": gpu.uuid,
                "name": gpu.name,
                "index": gpu.index,
                "free_mib": gpu.free_mib,
                "total_mib": gpu.total_mib,
                "exclusive": gpu.exclusive,
                **({"busy": busy[gpu.uuid]} if gpu.uuid in busy else {}),
            }
            for gpu in offer.gpus
        ],
        "gpu_fault": report.gpus.fault,
        "gpu_note": report.gpus.note if offer.gpus else "",
        "note": health.note,
        "condition": health.unwell,
        "refused_moves": health.refused_moves,
        "tunnel": health.tunnel,
        "aside": dict(health.aside),
        "clock_off_s": health.clock_off_s,
        "lacks": [dict(one) for one in health.lacks],
        "offering": not health.note,
        "allocation": health.allocation,
        "guest_notes": list(health.guest.notes),
        "guest_closed": health.guest.closed,
        "guest": {line: dict(facts) for line, facts in health.guest.facts.items()},
        "left_s": None if offer.left_s is None else round(offer.left_s, 1),
        "attempts": [list(one.attempt) for one in attempts.active()],
        "started_at": utc_iso(health.started_s),
    }


def user_of(uid: int) -> str:
    """Return the name of a user, or the number if it has no name; "" for our own."""
    if uid == os.getuid():
        return ""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def rq_worker(machine: str, running: bool, started_s: float, now_s: float) -> dict[str, str]:
    """Return the fields of a stock rq worker hash for this machine."""
    return {
        "birth": utc_iso(started_s),
        "last_heartbeat": utc_iso(now_s),
        "queues": "mlq",
        "pid": str(os.getpid()),
        "hostname": machine,
        "ip_address": "",
        "version": f"mlq {mlq.__version__}",
        "python_version": platform.python_version(),
        "state": "busy" if running else "idle",
    }
