"""Takes jobs back that failed because of their machine: they run again elsewhere.

When a worker sets its machine aside, some jobs have failed there that go well on other machines.
They go back to their places in line, and their sweeps, which may be held because of these failures,
go on. A job is taken back only so often: one that fails on every machine must stay failed.
"""

from __future__ import annotations

from collections.abc import Sequence

from mlq.api.many import OF_EARLIER_RUNS
from mlq.ids import sweep_number
from mlq.jobs.lifecycle import Event, State
from mlq.lenient import int_or
from mlq.store.operations import Move
from mlq.store.store import Store
from mlq.store.sweeps import forgive_sweeps
from mlq.units import utc_iso

MOST = 3


def take_back(
    store: Store, ids: Sequence[str], machine: str, now_s: float, courtesy_s: float
) -> list[str]:
    """Queue failed jobs again; return those that were.

    Args:
        store: the queue.
        ids: the jobs.
        machine: that failed them, and lets other machines take them first.
        now_s: unix time, for the record.
        courtesy_s: for how long it does.
    """
    moves = []
    for job_id, state, times in store.reads.rows(("status", "mlq_taken_back"), ids):
        if state == State.FAILED and int_or(times) < MOST:
            fields: dict[str, str | int | float] = {
                "enqueued_at": utc_iso(now_s),
                "mlq_reason": f"taken back from {machine}, which is set aside",
                "mlq_taken_back": int_or(times) + 1,
            }
            clear = tuple(one for one in OF_EARLIER_RUNS if one not in fields)
            move = Move(job_id, Event.RERUN, fields=fields, clear=clear, avoid=machine)
            moves.append(move._replace(only=(State.FAILED,)))
    moved = list(store.move(moves, now_s, courtesy_s).moved) if moves else []
    sweeps = sorted({number for one in moved if (number := sweep_number(one))})
    if sweeps:
        forgive_sweeps(store, sweeps)
    return moved
