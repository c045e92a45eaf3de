"""What is wrong with the machines that hold jobs, by machine and by job.

`mlq.machines.health` chooses the words for each machine. Healthy machines are omitted, and only a
running job shows the condition of its machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mlq.jobs.lifecycle import State
from mlq.jobs.view import JobView
from mlq.machines import health

if TYPE_CHECKING:
    from mlq.settings.settings import Settings
    from mlq.store.reads import Conditions


def in_words(conditions: Conditions, settings: Settings) -> dict[str, str]:
    """Return a description of each problem, keyed by machine.

    Args:
        conditions: how each machine was last heard and seen.
        settings: of this installation, with the spans after which a silence means something.
    """
    spans = (settings.lease_s, settings.fence_s, settings.dead_s)
    words = {name: health.in_words(*one, *spans) for name, one in conditions.items()}
    return {name: one for name, one in words.items() if one}


def with_conditions(jobs: Sequence[JobView], words: Mapping[str, str]) -> list[JobView]:
    """Return these jobs; each running one says what is wrong with its machine."""
    return [
        job._replace(condition=words.get(job.machine or "", ""))
        if job.state == State.STARTED
        else job
        for job in jobs
    ]
