"""What Slurm's commands ask the queue: jobs by id, name, user, state and time."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from mlq.errors import InvalidInputError
from mlq.scripts.slurm.values import numbers
from mlq.scripts.slurm_ids import job_id_of
from mlq.settings.people import user_name
from mlq_cli.invocation.session import open_queue as open_mlq
from mlq_cli.shims.options import Options
from mlq_cli.shims.states import COMPACT, array_of

if TYPE_CHECKING:
    from mlq.api.queue import Queue
    from mlq.jobs.view import JobView

PARTITION = "mlq"
ACCOUNT = "mlq"

_ID = r"(\d{1,15})(?:_(?:(\d{1,9})|\[([^\]]*)\]|\*))?(?:\+\d+)?(\.\w+)?"


def open_queue() -> Queue:
    """Return the queue; its messages are not for the programs that call Slurm's commands."""
    queue = open_mlq()
    queue.tell = lambda _: None
    return queue


def is_own(users: Sequence[str]) -> bool:
    """Return whether the only user of this queue is among these; none means anybody."""
    return not users or bool({user_name(), str(os.getuid())} & set(users))


def states_of(words: Iterable[str]) -> set[str] | None:
    """Return Slurm's states by any of their names; None for all.

    Raises:
        InvalidInputError: one is unknown.
    """
    short = {compact: state for state, compact in COMPACT.items()}
    found = set()
    for word in words:
        name = word.upper()
        if name == "ALL":
            return None
        state = short.get(name, "CANCELLED" if name == "CANCELED" else name)
        if state not in COMPACT:
            raise InvalidInputError(f"Invalid job state specified: {word}")
        found.add(state)
    return found


def ids_of(words: Iterable[str]) -> list[tuple[str, set[str] | None]]:
    """Return for each typed id its number, and the task numbers; None for all, or for one job.

    The forms are 1042, 1042_7, 1042_[1,3-5]; what stands after a dot names a step and is left out.

    Raises:
        InvalidInputError: it is no id.
    """
    found: list[tuple[str, set[str] | None]] = []
    for word in words:
        match = re.fullmatch(_ID, job_id_of(word))
        if match is None:
            raise InvalidInputError(f"Invalid job id specified: {word}")
        tasks: set[str] | None = {match[2]} if match[2] else None
        if match[3]:
            try:
                tasks = {str(int(one)) for one in numbers(match[3].partition("%")[0])}
            except ValueError:
                raise InvalidInputError(f"Invalid job id specified: {word}") from None
        found.append((match[1], tasks))
    return found


def jobs_of(queue: Queue, typed: Iterable[str]) -> tuple[list[JobView], list[str]]:
    """Return the jobs that ids mean, and the ids that mean none."""
    from mlq.jobs.view import FIELDS, view

    jobs: dict[str, JobView] = {}
    unknown = []
    for word in typed:
        ((number, tasks),) = ids_of([word])
        ids = [number, *queue.store.reads.members(int(number))]
        rows = queue.store.reads.rows(FIELDS, ids)
        seen = [view(row, queue.layout, queue.settings.default_mem_mib) for row in rows]
        meant = [one for one in seen if tasks is None or array_of(one)[1] in tasks]
        if not meant:
            unknown.append(word)
        jobs.update((one.id, one) for one in meant)
    return list(jobs.values()), unknown


def named(jobs: Iterable[JobView], options: Options, name: str) -> list[JobView]:
    """Return the jobs of the names that an option lists; all jobs without it."""
    names = options.listed(name)
    return [one for one in jobs if not names or one.name in names]
