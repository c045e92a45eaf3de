"""Attempts that the queue believes this machine runs, but that it does not run: pure.

A reboot, a killed supervisor, or a worker that died between a claim and its order leaves them
behind. Only this machine's own worker may judge them like this: it knows for sure which attempts
its supervisor holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlq.files.strict_files import Absent, Refused, Unreadable
from mlq.jobs.lifecycle import Event
from mlq.settings.settings import Settings
from mlq.store.operations import Move
from mlq.store.replies import Attempt, HeldAttempt
from mlq.units import utc_iso
from mlq_worker.agent.attempt_result import AttemptResult, no_result
from mlq_worker.agent.history import History, Patience
from mlq_worker.agent.nfs import End
from mlq_worker.agent.outcomes import ending, loss


@dataclass(frozen=True, slots=True)
class Here:
    """This machine: its settings, this boot and the supervisor that runs now."""

    settings: Settings
    boot_id: str
    supervisor_id: str


def orphan_moves(
    orphans: Sequence[HeldAttempt],
    results: Mapping[Attempt, End],
    past: Mapping[str, History],
    here: Here,
    now_s: float,
) -> list[Move]:
    """Return the moves of orphan attempts.

    Args:
        orphans: the attempts.
        results: how they ended, according to NFS.
        past: the history of their jobs, by id.
        here: this machine.
        now_s: unix time, for the record.
    """
    return [
        move
        for orphan in orphans
        if (move := _orphan_move(orphan, results, past.get(orphan.id, History()), here, now_s))
    ]


def _orphan_move(
    orphan: HeldAttempt,
    results: Mapping[Attempt, End],
    history: History,
    here: Here,
    now_s: float,
) -> Move | None:
    machine = here.settings.machine
    result = results.get(orphan.key, Absent())
    if isinstance(result, Refused):
        result = no_result(orphan.key, machine, result.why, utc_iso(now_s))
    if isinstance(result, AttemptResult):
        return ending(result, history, Patience.of(here.settings))
    if isinstance(result, Unreadable) and not orphan.stop:
        return None
    if (orphan.boot_id, orphan.supervisor_id) == (here.boot_id, here.supervisor_id):
        return _never_started(orphan, machine)
    rebooted = orphan.boot_id != here.boot_id
    why = (
        f"machine {machine} rebooted" if rebooted else f"the supervisor on {machine} was restarted"
    )
    return loss(orphan.key, machine, why, history, here.settings.max_losses, avoid=False)


def _never_started(orphan: HeldAttempt, machine: str) -> Move:
    reason = f"handed back: {machine} did not start it"
    event = Event.CANCEL if orphan.stop else Event.RELEASE
    return Move(
        orphan.id,
        event,
        orphan.attempt,
        fields={"mlq_reason": orphan.stop or reason},
        clear=("mlq_stop",),
    )
