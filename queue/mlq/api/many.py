"""Operations on many jobs at once: cancel them, run them again, let held ones go.

The server does one thing at a time, so a hundred thousand jobs go to it in slices of some
milliseconds each; between two slices it answers other clients. The time for a job varies with the
machine and with the length of the list that the job goes back into; so each slice is sized by how
long the one before took (`Pace`). Each slice is an operation with its own request id: sent again,
it changes nothing twice. If the command dies, the finished slices stay done, and the same command
run again does the rest.

A held job is `deferred`, with the reason in `mlq_held`, because its command fails wherever it is
tried. Workers hold such jobs, a slice of the waiting ones at a time; their user lets them go, and
then workers do not hold them again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

from mlq.ids import order_key
from mlq.jobs.lifecycle import ENDED, WAITING, Event, State
from mlq.jobs.needs import word_of
from mlq.jobs.view import OF_A_RUN
from mlq.store.client import Client
from mlq.store.operations import Move
from mlq.store.store import Store
from mlq.units import utc_iso

LEAST, FIRST, MOST = 150, 200, 500
AIM_S = 0.018

T = TypeVar("T")


class Pace:
    """Yields items in slices that take the server about `AIM_S` seconds each.

    Args:
        client: the connection; an empty question measures how long a round trip takes.
        clock: monotonic seconds.
    """

    def __init__(self, client: Client, clock: Callable[[], float] = time.monotonic) -> None:
        self._client, self._clock = client, clock
        self._way_s: float | None = None
        self._took_s = 0.0
        self._measures = False

    def slices(self, items: Sequence[T]) -> Iterator[tuple[int, Sequence[T]]]:
        """Yield the items in slices, each with how many items are done after it."""
        size, at = FIRST, 0
        self._measures = len(items) > size
        while at < len(items):
            part = items[at : at + size]
            at += len(part)
            self._took_s = 0.0
            yield at, part
            size = _next_size(len(part), self._took_s)

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Measure an operation on the current slice."""
        if not self._measures:
            yield
            return
        if self._way_s is None:
            self._way_s = self._seconds(lambda: self._client.call("PING"))
        began = self._clock()
        yield
        self._took_s = max(self._took_s, self._clock() - began - self._way_s)

    def _seconds(self, act: Callable[[], object]) -> float:
        began = self._clock()
        act()
        return self._clock() - began


def _next_size(size: int, took_s: float) -> int:
    if took_s <= 0:
        return MOST
    return max(LEAST, min(MOST, round(size * AIM_S / took_s)))


Progress = Callable[[int, int], None]
"""Called after each slice with how many jobs are done, and how many there are."""

# The fields that are dropped when a user runs a job again.
OF_EARLIER_RUNS = (
    *OF_A_RUN,
    "mlq_folder_faults",
    "mlq_ooms",
    "mlq_crowded",
    "mlq_soon_asked",
    "mlq_taken_back",
    "mlq_avoid",
    "mlq_avoid_until",
    "mlq_due",
    "mlq_unwritten",
    "mlq_usage",
    "mlq_used",
    "mlq_metrics",
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
            # A job may have been requeued between the two calls: the next round cancels it.
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
    """Cancel the waiting jobs; return these and the others."""
    now_s = clock()
    fields: dict[str, str | int | float] = {"ended_at": utc_iso(now_s), "mlq_reason": reason}
    moves = [Move(one, Event.CANCEL, fields=fields, only=tuple(WAITING)) for one in ids]
    done = store.move(moves, now_s)
    done.check()
    return list(done.moved), list(done.stale)


class Retried(NamedTuple):
    """The outcome of running jobs again.

    Args:
        queued: run again, in order of submission.
        unended: left alone, since they have not ended.
        finished: left alone, since they finished.
        revived: put back, since they were canceled because of one of `queued`; each with that job.
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
            Move(one, Event.RERUN, fields=fields, clear=OF_EARLIER_RUNS, only=only) for one in part
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


# A job that waits for its parents has not been tried, and may be mended by then.
_IN_LINE = (State.QUEUED, State.SCHEDULED)


def held_jobs(store: Store) -> list[str]:
    """Return the ids of all held jobs, in order of submission."""
    pages = store.reads.pages(("status", "mlq_held"), "unended")
    return [row[0] for page in pages for row in page if row[2]]


def hold_waiting(store: Store, word: str, reason: str, now_s: float) -> list[str]:
    """Hold all waiting jobs of a command; return their ids.

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
        moves = [Move(one, Event.HOLD, fields=fields, only=_IN_LINE) for one in ids]
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
    """Let held jobs go back to their place in the queue; return those, and the ones not held."""
    needs = store.reads.rows(("status", "mlq_needs"), ids)
    # This comes first: a released job must not be held again for the same reason.
    store.let_go({word for row in needs if (word := word_of(row[2], "s"))})
    fields: dict[str, str | int | float] = {"mlq_released": 1, "mlq_reason": "let go by its user"}
    moves = [
        Move(one, Event.LET_GO, fields=fields, having="mlq_held")
        for one in sorted(ids, key=order_key)
    ]
    return move_all(store, moves, now_s, progress)


def move_all(
    store: Store, moves: Sequence[Move], now_s: float, progress: Progress
) -> tuple[list[str], list[str]]:
    """Make moves a slice at a time; return the jobs that were moved, and the others."""
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
