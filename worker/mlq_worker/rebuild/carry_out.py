"""Rebuilds the queue in an emptied server, step by step; after an interruption, run it again.

Until the last step the queue has no id, and no worker takes a job from it. Jobs are made in reverse
order of submission, each at the head of its list. So all lists are in order at any instant, with
jobs that were enqueued meanwhile at their ends.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from mlq.files.layout import Layout
from mlq.store import restoring
from mlq.store.pilots import keep_pool
from mlq.store.store import Store
from mlq_worker.rebuild.meanwhile import renumber
from mlq_worker.rebuild.plan import Plan

_AT_ONCE = 500


@dataclass(slots=True)
class Restored:
    """What was done.

    Args:
        jobs: how many jobs the queue has now.
        made: how many of them were made by this call.
        renumbered: old id -> new id of jobs that were enqueued meanwhile.
        pause_s: for how many more seconds the queue gives out no job.
        left_out: jobs that could not be restored, with the reason.
    """

    jobs: int
    made: int
    renumbered: dict[str, str]
    pause_s: float
    left_out: list[str] = field(default_factory=list)


def carry_out(
    store: Store,
    owned: Layout,
    plan: Plan,
    key: bytes,
    pause_s: float,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Restored:
    """Make the queue anew.

    Args:
        store: reaches the emptied server.
        owned: the results root, and its queue.
        plan: what to restore.
        key: signs jobs anew that were enqueued meanwhile.
        pause_s: for how many seconds after the beginning the queue gives out no job.
        progress: is told how many jobs are made, of how many.

    Raises:
        OtherQueueError: the server holds a queue.
    """
    left_out = list(plan.left_out)
    begun = restoring.begin(store, owned.queue_id, plan.high)
    known = {job.id: str(job.fields.get("mlq_signature", "")) for job in plan.jobs}
    new_ids = renumber(store, begun, key, known, left_out.append)
    made = 0
    for start in range(0, len(plan.jobs), _AT_ONCE):
        batch = plan.jobs[start : start + _AT_ONCE]
        made += restoring.restore(store, batch)[0]
        progress(start + len(batch), len(plan.jobs))
    restoring.restore_sweeps(store, plan.sweeps)
    for pool, text in plan.pools.items():
        keep_pool(store, pool, "", text)  # one that is there already is newer
    jobs, left_s = restoring.end(store, owned.queue_id, str(owned.root), pause_s)
    return Restored(jobs, made, new_ids, left_s, left_out)


def only_missing(store: Store, plan: Plan) -> Plan:
    """Return the part of a plan that a queue restored from an old backup does not know."""
    missing = restoring.missing(store, [job.id for job in plan.jobs])
    return replace(plan, jobs=[job for job in plan.jobs if job.id in missing])


def add_missing(store: Store, plan: Plan) -> Restored:
    """Add jobs to an existing queue that does not know them; its other jobs stay as they are.

    Args:
        store: the queue.
        plan: what `only_missing` left of the plan.
    """
    store.raise_numbers(plan.high)
    made, _ = restoring.restore(store, plan.jobs, in_line=True)
    return Restored(len(plan.jobs), made, {}, 0.0, list(plan.left_out))
