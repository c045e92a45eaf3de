"""What a user asks for many jobs at once: cancel them, run them again.

The server does one thing at a time, so a hundred thousand jobs go to it in slices of some
milliseconds each; others are answered between two of them. Each slice is an operation of its own
with a request id of its own: sent again, it changes nothing twice, and if the command dies, what is
done is done and asking for the same again does the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from mlq.api.pace import Pace
from mlq.ids import order_key
from mlq.jobs.lifecycle import ENDED, WAITING, Event, State
from mlq.jobs.view import OF_A_RUN
from mlq.store.operations import Move
from mlq.store.store import Store
from mlq.units import utc_iso

Progress = Callable[[int, int], None]
"""Is told after each slice how many jobs of how many are done."""

# What a job that is run again by its user should not remember.
_OF_EARLIER_RUNS = (
    *OF_A_RUN,
    "mlq_folder_faults",
    "mlq_avoid",
    "mlq_avoid_until",
    "mlq_due",
    "mlq_unwritten",
    "mlq_usage",
    "mlq_notes",
    "result",
)


def cancel(
    store: Store, ids: Sequence[str], reason: str, clock: Callable[[], float], progress: Progress
) -> tuple[list[str], list[str]]:
    """Cancel jobs; see `mlq.api.queue.Queue.cancel`."""
    canceled: list[str] = []
    stopping: list[str] = []
    pace = Pace(store.client)
    for done, part in pace.slices(ids):
        with pace.timed():
            gone, left = _cancel_waiting(store, part, reason, clock)
        while left:
            asked = store.ask_to_stop(left, reason)
            stopping += asked
            # Between the two calls a job may have been requeued: it is canceled next time round.
            rest = [one for one in left if one not in set(asked)]
            states = store.reads.rows(("status",), rest)
            again = [row[0] for row in states if row[1] in WAITING or row[1] == State.STARTED]
            more, left = _cancel_waiting(store, again, reason, clock) if again else ([], [])
            gone += more
        canceled += gone
        progress(done, len(ids))
    return canceled, stopping


def _cancel_waiting(
    store: Store, ids: Sequence[str], reason: str, clock: Callable[[], float]
) -> tuple[list[str], list[str]]:
    """Cancel those that wait; return these, and the others."""
    now_s = clock()
    fields: dict[str, str | int | float] = {"ended_at": utc_iso(now_s), "mlq_reason": reason}
    moves = [Move(one, Event.CANCEL, fields=fields, only=tuple(WAITING)) for one in ids]
    done = store.move(moves, now_s)
    done.check()
    return list(done.moved), list(done.stale)


class Retried(NamedTuple):
    """What became of jobs that were to be run again.

    Args:
        queued: run again, in order of submission.
        unended: left alone, since they have not ended.
        finished: left alone, since they finished.
        revived: put back, since they were canceled because of one of `queued`; with each, which.
    """

    queued: list[str]
    unended: list[str]
    finished: list[str]
    revived: dict[str, str]


def retry(
    store: Store,
    ids: Sequence[str],
    clock: Callable[[], float],
    progress: Progress,
    *,
    finished: bool = False,
) -> Retried:
    """Queue ended jobs again, in order of submission; see `mlq.api.queue.Queue.retry`."""
    only = tuple(ENDED if finished else ENDED - {State.FINISHED})
    done = Retried([], [], [], {})
    pace = Pace(store.client)
    for so_far, part in pace.slices(sorted(ids, key=order_key)):
        now_s = clock()
        fields: dict[str, str | int | float] = {"enqueued_at": utc_iso(now_s)}
        moves = [
            Move(one, Event.RERUN, fields=fields, clear=_OF_EARLIER_RUNS, only=only) for one in part
        ]
        with pace.timed():
            made = store.move(moves, now_s)
        made.check()
        done.queued.extend(made.moved)
        for parent, child in made.revived:
            done.revived[child] = done.revived.get(parent, parent)
        for job_id, state in store.reads.rows(("status",), made.stale):
            if state == State.FINISHED:
                done.finished.append(job_id)
            elif job_id not in done.revived:
                done.unended.append(job_id)
        progress(so_far, len(ids))
    return done
