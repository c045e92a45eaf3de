"""Which workers belong together: those that one `mlq jug` enqueued. Pure.

They are ordinary jobs, enqueued at once and therefore numbered one after the other. Each carries
the name of its run among the arguments of its call. So a name typed for them means the whole run,
as the name of a sweep means all its members: its result is there only when all of them have ended.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mlq.ids import is_number
from mlq.lenient import list_or_empty

WORKER = "mlq.api.jug_worker.work"
"""The function that a worker of a jug run is."""

_LOOKED_AT = 100


def run_of(call: str) -> str:
    """Return the run that a job belongs to; "" if it is no worker of jug.

    Args:
        call: the job's field `data`: the function that it calls, with its arguments.
    """
    if WORKER not in call:
        return ""
    name, _, _, kwargs = (*list_or_empty(call), *[None] * 4)[:4]
    run = kwargs.get("run") if name == WORKER and isinstance(kwargs, dict) else ""
    return run if isinstance(run, str) else ""


def workers_of(job_id: str, calls: Callable[[Sequence[str]], Mapping[str, str]]) -> tuple[str, ...]:
    """Return the ids of all workers of the run that this job belongs to; none if it is in none.

    Args:
        job_id: a job.
        calls: looks up fields `data` by id; a job that does not exist is left out.
    """
    run = run_of(calls([job_id]).get(job_id, "")) if is_number(job_id) else ""
    if not run:
        return ()
    before, behind = (_beside(int(job_id), step, run, calls) for step in (-1, 1))
    return (*reversed(before), job_id, *behind)


def _beside(
    number: int, step: int, run: str, calls: Callable[[Sequence[str]], Mapping[str, str]]
) -> list[str]:
    """Return the ids of the workers on one side of a job, the nearest first."""
    found: list[str] = []
    while True:
        part = [str(number + step * n) for n in range(1, _LOOKED_AT + 1)]
        seen = calls(part)
        for one in part:
            if run_of(seen.get(one, "")) != run:
                return found
            found.append(one)
        number += step * _LOOKED_AT
