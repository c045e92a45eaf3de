"""Holds jobs and sweeps, and lets them go.

A held job is `deferred`, with the reason in `mlq_held`. Workers hold a job if its command fails
wherever it is tried, a slice of the waiting jobs at a time; or its user holds it. Its user lets it
go, and then workers do not hold it again. A sweep is held as a whole: its members stay where they
are, and none is given out, so holding costs the same for ten members and for fifty thousand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mlq.api.many import Progress, move_all
from mlq.api.selecting import sweep_meant
from mlq.ids import LARGEST_NUMBER, order_key
from mlq.jobs.lifecycle import WAITING, Event
from mlq.store.operations import Move
from mlq.store.store import Store
from mlq.store.sweeps import hold_sweeps


class Done(NamedTuple):
    """The outcome of holding jobs and sweeps or letting them go.

    Args:
        jobs: those that changed.
        others: the other jobs.
        sweeps: numbers of the sweeps that changed.
        other_sweeps: numbers of the others.
    """

    jobs: list[str]
    others: list[str]
    sweeps: list[int]
    other_sweeps: list[int]


def sorted_out(store: Store, typed: Sequence[str]) -> tuple[list[int], list[str]]:
    """Return the numbers of the sweeps among typed words, and the other words."""
    sweeps = {word: sweep_meant(store, [word]) for word in typed}
    numbers = [one.number for one in sweeps.values() if one is not None]
    return list(dict.fromkeys(numbers)), [word for word, one in sweeps.items() if one is None]


def held_sweeps(store: Store) -> list[int]:
    """Return the numbers of all sweeps that are held."""
    numbers = store.reads.sweeps_between(0, LARGEST_NUMBER)
    return [one.number for one in store.reads.sweeps(list(map(str, numbers))) if one.held]


def hold(
    store: Store,
    ids: Sequence[str],
    sweeps: Sequence[int],
    reason: str,
    now_s: float,
    progress: Progress = lambda _done, _of: None,
) -> Done:
    """Hold waiting jobs, and sweeps; running jobs go on.

    Args:
        store: the queue.
        ids: jobs.
        sweeps: numbers; of these nothing starts, however many members wait.
        reason: why.
        now_s: unix time, for the record.
        progress: is told how many jobs of how many are done.
    """
    fields: dict[str, str | int | float] = {"mlq_held": reason, "mlq_reason": reason}
    held = {row[0] for row in store.reads.rows(("status", "mlq_held"), ids) if row[2]}
    left, only = [one for one in ids if one not in held], tuple(WAITING)
    moves = [Move(one, Event.HOLD, fields=fields, only=only) for one in left]
    moved, stale = move_all(store, moves, now_s, progress)
    found = hold_sweeps(store, sweeps, reason) if sweeps else []
    others = [one for one in sweeps if one not in found]
    return Done(moved, [*sorted(held, key=order_key), *stale], found, others)
