"""What decides when a waiting job starts, besides its size: its ties, and its place in line.

Only `mlq explain` asks for this. Nothing is written here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from mlq.ids import is_job_id, place_in_line
from mlq.jobs.lifecycle import State
from mlq.lenient import text_of
from mlq.store import keys
from mlq.store.identity import server_time
from mlq.store.store import Store

_FIELDS = ("status", "mlq_avoid", "mlq_avoid_until", "mlq_needs", "mlq_order")


class Ties(NamedTuple):
    """The ties of one waiting job.

    Args:
        avoids: the machine that lets others take the job first; "" if none does.
        avoids_for_s: for how much longer, by the server's clock.
        needs: words of what the job needs of a machine (`mlq.jobs.needs`).
        place: the job's place in line.
    """

    avoids: str = ""
    avoids_for_s: float = 0.0
    needs: str = ""
    place: float = math.inf


def ties(store: Store, ids: Sequence[str]) -> dict[str, Ties]:
    """Return the ties of these jobs; a job that is gone has none."""
    rows = store.reads.rows(_FIELDS, ids)
    server_s = server_time(store.client)
    found = {
        job_id: Ties(avoids, _seconds(until) - server_s, needs, place_in_line(job_id, order))
        for job_id, _state, avoids, until, needs, order in rows
    }
    return {job_id: found.get(job_id, Ties()) for job_id in ids}


def places(store: Store, class_names: Sequence[str]) -> dict[str, list[float]]:
    """Return the places in line of all jobs that wait in these classes."""
    if not class_names:
        return {}
    replies = store.client.call_many(
        [("LRANGE", keys.registry(State.QUEUED, name), 0, -1) for name in class_names]
    )
    waiting = {
        name: [text_of(raw) for raw in reply]
        for name, reply in zip(class_names, replies, strict=True)
    }
    foreign = [one for ids in waiting.values() for one in ids if not is_job_id(one)]
    order = {row[0]: row[2] for row in store.reads.rows(("status", "mlq_order"), foreign)}
    return {
        name: [place_in_line(one, order.get(one, "")) for one in ids]
        for name, ids in waiting.items()
    }


def is_being_restored(store: Store) -> bool:
    """Return whether the queue is being restored, and gives out no job meanwhile."""
    return bool(store.client.call("EXISTS", keys.RESTORING, keys.RESTORED))


def _seconds(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        return 0.0
    return found if math.isfinite(found) else 0.0
