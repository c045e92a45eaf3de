"""Attempts that the queue thinks this machine runs, and that it does not: pure.

They are what a reboot, a killed supervisor, or a worker that died between a claim and its order
leave behind. Only this machine's one worker may judge them like this: it knows for sure what its
supervisor holds.
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
from mlq_worker.agent.nfs import End
from mlq_worker.agent.outcomes import History, Patience, ending, loss


@dataclass(frozen=True, slots=True)
class Here:
    """This machine: its settings, this boot and the supervisor that runs now."""

    settings: Settings
    boot_id: str
    supervisor_id: str


def stray_moves(
    strays: Sequence[HeldAttempt],
    results: Mapping[Attempt, End],
    past: Mapping[str, History],
    here: Here,
    now_s: float,
) -> list[Move]:
    """Return what is to become of stray attempts.

    Args:
        strays: the attempts.
        results: how they ended, by what lies on NFS.
        past: their jobs' history, by id.
        here: this machine.
        now_s: unix time, for the record.
    """
    return [
        move
        for stray in strays
        if (move := _stray_move(stray, results, past.get(stray.id, History()), here, now_s))
    ]


def _stray_move(
    stray: HeldAttempt,
    results: Mapping[Attempt, End],
    history: History,
    here: Here,
    now_s: float,
) -> Move | None:
    machine = here.settings.machine
    result = results.get(stray.key, Absent())
    if isinstance(result, Refused):
        result = no_result(stray.key, machine, result.why, utc_iso(now_s))
    if isinstance(result, AttemptResult):
        return ending(result, history, Patience.of(here.settings))
    if isinstance(result, Unreadable) and not stray.stop:
        return None
    if (stray.boot_id, stray.supervisor_id) == (here.boot_id, here.supervisor_id):
        return _never_started(stray, machine)
    rebooted = stray.boot_id != here.boot_id
    why = (
        f"machine {machine} rebooted" if rebooted else f"the supervisor on {machine} was restarted"
    )
    return loss(stray.key, machine, why, history, here.settings.max_losses, avoid=False)


def _never_started(stray: HeldAttempt, machine: str) -> Move:
    reason = f"handed back: {machine} did not start it"
    event = Event.CANCEL if stray.stop else Event.RELEASE
    return Move(
        stray.id,
        event,
        stray.attempt,
        fields={"mlq_reason": stray.stop or reason},
        clear=("mlq_stop",),
    )
