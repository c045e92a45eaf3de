"""Whether a worker in the allocation around this process could work: what it has, and the queue.

Nodes of a cluster often reach less of the network than its login nodes. Run in a small allocation
with the same options, the doctor tells before a whole night is spent on a worker that never starts.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

from mlq.errors import MlqError
from mlq.settings.settings import Settings
from mlq.units import format_duration, format_mib
from mlq_cli.doctor.check import Check, ok, problem, warning
from mlq_cli.doctor.look_queue import reached
from mlq_cli.render.words import count
from mlq_worker.allocation.ending import LEAD_S
from mlq_worker.allocation.inside import Inside

_TOPIC = "allocation"


def examine(settings: Settings) -> Iterable[Check]:
    """Ask the batch system around this process and the queue; nothing if there is no allocation."""
    from mlq_worker.service.allocated import noticed

    found = noticed(os.environ, None)
    if found is None:
        return ()
    can_use = len(os.sched_getaffinity(0))
    found = found._replace(cores=min(found.cores or can_use, can_use))
    began_s = time.monotonic()
    try:
        reached(settings)[1].call("PING")
    except MlqError as error:
        return [judge(found, error, 0.0)]
    return [judge(found, None, time.monotonic() - began_s)]


def judge(found: Inside, error: MlqError | None, took_s: float) -> Check:
    """Return whether a worker inside the allocation could work.

    Args:
        found: what is granted.
        error: why the queue cannot be reached; None if it answered.
        took_s: how long its answer took.
    """
    if error is not None:
        return problem(
            _TOPIC,
            f"{found.words}, the queue cannot be reached: {error.why or error.what}",
            error.fix or "a node may reach less than the login node: see docs/interop.md",
        )
    granted = ", ".join(_granted(found))
    left_s = found.first.left_s
    ends = "" if left_s is None else f"; it ends in {format_duration(round(left_s))}"
    says = f"{found.words}: {granted}{ends}; the queue answers from here in {took_s * 1000:.0f} ms"
    if found.no_gpus_because:
        return warning(_TOPIC, f"{says}; {found.no_gpus_because}", "ask for a whole GPU")
    if left_s is not None and left_s <= LEAD_S:
        lead = format_duration(LEAD_S)
        return warning(
            _TOPIC, says, f"jobs are handed back {lead} before the end: none starts here"
        )
    return ok(_TOPIC, says)


def _granted(found: Inside) -> Iterable[str]:
    if found.cores is not None:
        yield count(found.cores, "core")
    if found.mem_mib is not None:
        yield f"{format_mib(found.mem_mib)} of memory"
    yield "no GPU" if found.gpus == "none" else f"GPU {found.gpus}"
