"""The reaper: gives dead attempts back to the queue, and commits results nobody committed.

One worker has the role at a time (a lock that expires by itself). Looking at NFS happens at a
`Desk`, whose thread may hang; then there is no look and so no verdict. What it decides is in
`verdicts`; what follows from it for the job is in `endings`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mlq.layout import Layout
from mlq.operations import Move
from mlq.replies import Attempt, HeldAttempt
from mlq.settings import Settings
from mlq.store import Store
from mlq_worker.endings import History, ending, loss
from mlq_worker.evidence import Desk, read_beats, read_results
from mlq_worker.verdicts import Look, Witness

_HISTORY = ("status", "mlq_spec", "mlq_failures", "mlq_losses", "mlq_stop")
_FORGET_EVERY_S = 3600.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one visit to NFS brought: about whom, their machines' beats, their results."""

    expired: list[HeldAttempt]
    look: Look
    results: dict[Attempt, dict[str, Any]]


class Reaper:
    """The role, held or not.

    Args:
        store: the queue.
        settings: of this installation.
        wake: called when NFS has answered.
        monotonic: a clock that only runs forward, in seconds.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        wake: Callable[[], None],
        monotonic: Callable[[], float],
    ) -> None:
        self._store, self._settings = store, settings
        self._layout = Layout(settings.root)
        self._desk: Desk[Evidence] = Desk("reaper", wake)
        self._clock = monotonic
        self._witness = Witness(settings.dead_s, 3 * settings.beat_s)
        self._forget_due_s = 0.0

    def turn(self, now_s: float) -> int:
        """Do what the role asks for now, if it is ours; returns how many jobs were moved.

        Args:
            now_s: unix time, for the record.
        """
        if not self._store.hold_role("reaper", self._settings.machine, self._settings.lease_s):
            return 0
        self._forget(now_s)
        expired = self._store.expired()
        moves = self._judge()
        if expired:
            self._desk.ask(lambda: self._visit(expired))
        if not moves:
            return 0
        return len(self._store.move(moves, now_s, self._settings.dead_s).moved)

    def _visit(self, expired: list[HeldAttempt]) -> Evidence:
        machines = {attempt.machine for attempt in expired}
        look = read_beats(self._layout, machines, self._clock)
        # After the beats: a result written before the last beat is then surely seen.
        results = read_results(self._layout, [attempt.key for attempt in expired])
        return Evidence(expired, look, results)

    def _judge(self) -> list[Move]:
        evidence = self._desk.answer()
        if evidence is None:
            return []
        unresolved = [one for one in evidence.expired if one.key not in evidence.results]
        dead = self._witness.verdicts(evidence.look, unresolved)
        if not dead and not evidence.results:
            return []
        past = histories(self._store, [one.id for one in evidence.expired])
        max_losses = self._settings.max_losses
        moves = [
            ending(result, past.get(key[0], History()), max_losses)
            for key, result in evidence.results.items()
        ]
        for one in unresolved:
            if one.key in dead:
                history = past.get(one.id, History())
                moves.append(loss(one.key, one.machine, dead[one.key], history, max_losses))
        return moves

    def _forget(self, now_s: float) -> None:
        if self._clock() >= self._forget_due_s:
            self._forget_due_s = self._clock() + _FORGET_EVERY_S
            before_s = now_s - self._settings.keep_days * 86400
            while self._store.forget(before_s):
                pass


def histories(store: Store, ids: list[str]) -> dict[str, History]:
    """Return the past of these jobs, by id."""
    found = {}
    for job_id, _, spec, failures, losses, stop in store.rows(_HISTORY, ids):
        retries = json.loads(spec)["retries"] if spec else 0
        found[job_id] = History(retries, int(failures or 0), int(losses or 0), stop)
    return found
