"""Attempts that the queue thinks this machine runs, and that it does not: pure.

They are what a reboot, a killed supervisor, or a worker that died between a claim and its order
leave behind. Only this machine's one worker may judge them like this: it knows for sure what its
supervisor holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlq.lifecycle import Event
from mlq.settings import Settings
from mlq.store.operations import Move
from mlq.store.replies import Attempt, HeldAttempt
from mlq_worker.endings import History, Patience, ending, loss


def stray_moves(
    strays: Sequence[HeldAttempt],
    results: Mapping[Attempt, Mapping[str, Any]],
    past: Mapping[str, History],
    supervisor_id: str,
    boot_id: str,
    settings: Settings,
) -> list[Move]:
    """Return what is to become of stray attempts.

    Args:
        strays: the attempts.
        results: those of them whose result lies on NFS.
        past: their jobs' history, by id.
        supervisor_id: of the supervisor that runs here now.
        boot_id: of this boot.
        settings: of this installation.
    """
    moves, patience = [], Patience.of(settings)
    for stray in strays:
        history = past.get(stray.id, History())
        result = results.get(stray.key)
        if result is not None:
            moves.append(ending(result, history, patience))
        elif stray.boot_id == boot_id and stray.supervisor_id == supervisor_id:
            moves.append(_never_started(stray, settings.machine))
        else:
            why = (
                f"machine {settings.machine} rebooted"
                if stray.boot_id != boot_id
                else f"the supervisor on {settings.machine} was restarted"
            )
            most, machine = settings.max_losses, settings.machine
            moves.append(loss(stray.key, machine, why, history, most, avoid=False))
    return moves


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
