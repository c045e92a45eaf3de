"""Asks the queue for a snapshot: how much is asked does not depend on how many jobs wait.

It takes five round trips and one more for each sweep that is open, each bounded by a page of jobs.
"""

from __future__ import annotations

from typing import NamedTuple

from mlq.api.queue import Queue
from mlq.ids import order_key, sweep_number
from mlq.jobs.lifecycle import State
from mlq.jobs.view import FIELDS, JobView, view
from mlq.metrics.extent import parse_metrics
from mlq_cli.top.snapshot import Snapshot

RECENT_S = 86400.0
ENDED_ASKED = 50
_MEMBERS_MOST = 500
_WAITING_MEMBERS = 200


class Asked(NamedTuple):
    """What the screen wants to know besides the list.

    Args:
        selected: the id of the selected job; "" if none is.
        opened: numbers of the sweeps of which all members are wanted.
    """

    selected: str = ""
    opened: frozenset[int] = frozenset()


def look(queue: Queue, asked: Asked, now_s: float) -> Snapshot:
    """Ask the queue.

    Args:
        queue: the queue.
        asked: what the screen wants to know besides.
        now_s: unix time.

    Raises:
        QueueUnreachableError: the queue does not answer.
        QueueRefusedError: it answered with an error.
    """
    glanced = queue.glance(now_s - RECENT_S, ENDED_ASKED)
    conditions = queue.conditions()
    running: list[JobView] = []
    if any(one.counts.get(State.STARTED) for one in glanced.sweeps):
        ids = [one for one in queue.store.reads.running() if sweep_number(one)]
        running = _views(queue, sorted(ids, key=order_key))
        running = [
            one._replace(condition=conditions.get(one.machine or "", ""))
            for one in running
            if one.state == State.STARTED
        ]
    opened = {
        sweep.number: _members(queue, sweep.number, sweep.members, running)
        for sweep in glanced.sweeps
        if sweep.number in asked.opened
    }
    metrics = ""
    if asked.selected:
        rows = queue.store.reads.rows(("status", "mlq_metrics"), [asked.selected])
        metrics = rows[0][2] if rows else ""
    return Snapshot(
        at_s=now_s,
        jobs=glanced.jobs,
        sweeps=glanced.sweeps,
        running=running,
        opened=opened,
        paused=glanced.paused,
        counts=glanced.counts,
        machines=queue.store.reads.machines(),
        conditions=conditions,
        lease_s=queue.settings.lease_s,
        selected=asked.selected,
        metrics=parse_metrics(metrics),
    )


def _members(queue: Queue, number: int, size: int, running: list[JobView]) -> list[JobView]:
    """Return the members of a sweep; of a large one those that run and the first that wait."""
    if size <= _MEMBERS_MOST:
        return _views(queue, queue.store.reads.members(number))
    reads = queue.store.reads
    rows = next(iter(reads.pages(FIELDS, "unended", number, _WAITING_MEMBERS)), [])
    own = [_view(queue, row) for row in rows if sweep_number(row[0]) == number]
    known = {one.id: one for one in own}
    known.update((one.id, one) for one in running if one.sweep == number)
    return sorted(known.values(), key=lambda one: order_key(one.id))


def _views(queue: Queue, ids: list[str]) -> list[JobView]:
    """Return the jobs of these ids that still exist."""
    return [_view(queue, row) for row in queue.store.reads.rows(FIELDS, ids)] if ids else []


def _view(queue: Queue, row: list[str]) -> JobView:
    return view(row, queue.layout, queue.settings.default_mem_mib)
