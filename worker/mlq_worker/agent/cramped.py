"""Which squeezed attempts are handed back because another machine has room for them: pure.

The supervisor says which have had less than half of their cores for long; only the queue knows what
other machines offer. Invariant: without a machine that would take the job now, it goes on here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mlq.jobs.placement import Fit, place
from mlq.jobs.request import Request
from mlq.machines.said import state_of
from mlq_worker.agent.local_attempt import LocalAttempt

Machines = Mapping[str, tuple[float, dict[str, Any]]]
"""Machine -> how many seconds ago the queue heard it, and its record."""


def cramped_of(facts: Mapping[str, Mapping[str, Any]]) -> frozenset[tuple[str, int]]:
    """Return the attempts that the supervisor calls cramped; what cannot be read is none."""
    found = facts.get("room", {}).get("cramped", ())
    if not isinstance(found, list | tuple):
        return frozenset()
    pairs = (one for one in found if isinstance(one, list | tuple) and len(one) == 2)
    return frozenset((str(job_id), number) for job_id, number in pairs if isinstance(number, int))


def leaving(
    cramped: Iterable[LocalAttempt], machines: Machines, here: str, lease_s: float
) -> tuple[LocalAttempt, str] | None:
    """Return the first of them that another machine would take now, and why it leaves.

    One at a time: what the others offer is less after that.

    Args:
        cramped: attempts that have been squeezed for long.
        machines: what the queue knows of all machines.
        here: this machine's name.
        lease_s: a machine not heard for longer is not counted on.
    """
    for one in cramped:
        machine = _elsewhere(one.request, machines, here, lease_s)
        if machine:
            why = f"handed back: others use the cores of {here}, and {machine} has room"
            return one, why
    return None


def _elsewhere(request: Request, machines: Machines, here: str, lease_s: float) -> str:
    for name, (heard_s, record) in sorted(machines.items()):
        state = state_of(name, heard_s, record)
        if name == here or heard_s > lease_s or not state.takes_jobs or state.note:
            continue
        if isinstance(place(request, state.offer), Fit):
            return name
    return ""
