"""Sends running jobs a signal, for `scancel --signal`.

mlq sends a job the signal that it asked for with `--signal` before it queues it again; no other
signal has a way to the job's machine. Programs that checkpoint ask for exactly that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlq.errors import InvalidInputError
from mlq.jobs.lifecycle import State
from mlq.jobs.stop_signal import parse_stop_signal, read_stop_signal

if TYPE_CHECKING:
    from mlq.api.queue import Queue


def send(queue: Queue, ids: Sequence[str], name: str, *, script_only: bool) -> None:
    """Send running jobs the signal that is their own; each is then queued again.

    Args:
        queue: where they are.
        ids: the jobs; those that do not run are left alone, as by Slurm.
        name: of the signal, or its number.
        script_only: whether only the script is to get it.

    Raises:
        InvalidInputError: it is not the signal that a job asked for; then none gets it.
    """
    wanted = parse_stop_signal(f"{'B:' if script_only else ''}{name}", None).number
    running = [one for one in queue.views(ids) if one.state == State.STARTED]
    for job in running:
        own = read_stop_signal(job.signal) if job.signal else None
        if own is None or own.number != wanted:
            raise InvalidInputError(
                f"cannot send {name} to job {job.id}",
                why="mlq sends only the signal that a job asked for with --signal, then SIGTERM",
            )
    queue.requeue([one.id for one in running], f"{name} by scancel")


def preempt(queue: Queue, ids: Sequence[str]) -> None:
    """Do for SIGTERM what Slurm's preemption does: running jobs are told, and run again later.

    These jobs asked for a signal, and programs that do so (submitit) ignore SIGTERM, which would
    only tell them what the next signal means. To cancel them would lose their work.
    """
    running = [one.id for one in queue.views(ids) if one.state == State.STARTED]
    queue.requeue(running, "SIGTERM by scancel")
