"""Jobs that are held because their command fails wherever it is tried, and how they are let go.

A held job is `deferred`, with the reason in `mlq_held`. Workers hold it, a slice of what waits at a
time; its user lets it go, and then it is not held again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mlq.api.many import Progress
from mlq.api.pace import Pace
from mlq.ids import order_key
from mlq.jobs.lifecycle import Event
from mlq.jobs.needs import word_of
from mlq.store.operations import Move
from mlq.store.store import Store


def held_jobs(store: Store) -> list[str]:
    """Return the ids of all held jobs, in order of submission."""
    pages = store.reads.pages(("status", "mlq_held"), "unended")
    return [row[0] for page in pages for row in page if row[2]]


def hold_waiting(store: Store, word: str, reason: str, now_s: float) -> list[str]:
    """Hold all jobs of a command that wait; return their ids.

    Args:
        store: the queue.
        word: of the command (`mlq.jobs.needs`).
        reason: why.
        now_s: unix time, for the record.
    """
    upto = store.hold_command(word, reason)
    fields: dict[str, str | int | float] = {"mlq_held": reason, "mlq_reason": reason}
    found: list[str] = []
    pace = Pace(store.client)
    for ids in _pages(store, word, upto):
        moves = [Move(one, Event.HOLD, fields=fields) for one in ids]
        for _, part in pace.slices(moves):
            with pace.timed():
                found += store.move(part, now_s).moved
    return found


def _pages(store: Store, word: str, upto: float) -> Iterator[list[str]]:
    for page in store.reads.pages(("status", "mlq_needs", "mlq_released", "mlq_order"), "unended"):
        yield [
            job_id
            for job_id, _state, needs, released, _order in page
            if word_of(needs, "s") == word and not released and order_key(job_id)[0] <= upto
        ]


def release(
    store: Store,
    ids: Sequence[str],
    now_s: float,
    progress: Progress = lambda _done, _of: None,
) -> tuple[list[str], list[str]]:
    """Let held jobs go, back to their place in the queue; return those, and those not held."""
    needs = store.reads.rows(("status", "mlq_needs"), ids)
    # First: what is let go must not be held by the same finding again.
    store.let_go({word for row in needs if (word := word_of(row[2], "s"))})
    fields: dict[str, str | int | float] = {"mlq_released": 1, "mlq_reason": "let go by its user"}
    moves = [
        Move(one, Event.LET_GO, fields=fields, having="mlq_held")
        for one in sorted(ids, key=order_key)
    ]
    moved: list[str] = []
    stale: list[str] = []
    pace = Pace(store.client)
    for so_far, part in pace.slices(moves):
        with pace.timed():
            done = store.move(part, now_s)
        moved += done.moved
        stale += done.stale
        progress(so_far, len(moves))
    return moved, stale
