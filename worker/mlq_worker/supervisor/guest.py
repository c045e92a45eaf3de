"""Asks the manners of a guest once a second, half as often without jobs, and tells the outcome.

Between the loop and `mlq_worker.guest`: it shows the attempts to the watches, makes their demands
events, and tells the worker at each change. Invariants: nothing is looked at before the worker has
said its rules; all else goes on with worker, queue and NFS away; a watch that fails by a fault of
ours holds nothing back, and the log says so.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable

from mlq.files.layout import JobFolder
from mlq_worker.guest.rules import GuestRules
from mlq_worker.guest.watch import NO_DEMAND, GuestAttempt, Seen, Watch
from mlq_worker.ipc.clock import Moment
from mlq_worker.ipc.launcher_messages import Spawn
from mlq_worker.ipc.messages import GuestNews, Restraint
from mlq_worker.ipc.values import Share
from mlq_worker.supervisor.attempt import LIVE, HeldAttempt, Phase
from mlq_worker.supervisor.edges import StartCores
from mlq_worker.supervisor.events import Demanded, StopAsked

LOOK_S = 1.0
DOZE_S = 2.0
"""The same while there is no job that others could mind."""
REPEAT_S = 10.0
"""How often what is paused is stopped once more: somebody else may have let it go on."""


class Guest:
    """The manners of one supervisor.

    Args:
        watch: what is asked.
        cores: which cores jobs start on.
        note: writes a line into the log.
    """

    def __init__(self, watch: Watch, cores: StartCores, note: Callable[[str], None]) -> None:
        self._watch, self._cores, self._note = watch, cores, note
        self._failure = ""
        self._rules: GuestRules | None = None
        self._looked_at = self._repeated_at = float("-inf")
        self._has_looked = self._dozes = False
        self._seen = Seen()
        self._told: GuestNews | None = None

    def set_rules(self, rules: GuestRules) -> None:
        """Keep to these rules from now on; look at once, and tell what that shows."""
        self._rules = rules
        self._looked_at, self._told = float("-inf"), None

    @property
    def due_at(self) -> float:
        """The boot time of the next look; infinity before the worker has said its rules."""
        if self._rules is None:
            return float("inf")
        return self._looked_at + (DOZE_S if self._dozes else LOOK_S)

    def has_dozed(self, at: float) -> bool:
        """Wake, as jobs have come; return whether the last look is too old for them."""
        dozed, self._dozes = self._dozes, False
        return dozed and at >= self._looked_at + LOOK_S

    def look(self, held: Iterable[HeldAttempt], now: Moment) -> list[Demanded]:
        """Look if it is time, and return what happens to the attempts."""
        if self._rules is None or now.at < self.due_at:
            return []
        self._looked_at, self._has_looked = now.at, True
        attempts = list(held)
        self._dozes = not attempts
        running = {one.id: _shown(one) for one in attempts if one.phase is Phase.RUNNING}
        try:
            self._cores.keep({one.id for one in attempts if one.phase in LIVE})
            self._seen = self._watch.look(list(running.values()), self._rules, now)
        except Exception:  # noqa: BLE001 - the jobs would end with this process
            self._fail(traceback.format_exc())
        demands = self._seen.demands
        return [Demanded(attempt, demands.get(attempt, NO_DEMAND), now) for attempt in running]

    def turned_away(self, held: Iterable[HeldAttempt], now: Moment) -> list[StopAsked]:
        """Return that what has not started goes back in line while none may start; in each turn."""
        if not self._seen.closed:
            return []
        reason = f"handed back: {self._seen.closed}"
        return [
            StopAsked(one.id, "released", reason, now)
            for one in held
            if one.phase in (Phase.WAITING, Phase.STARTING) and one.ending is None
        ]

    def placed(self, spawns: Iterable[Spawn]) -> tuple[Spawn, ...]:
        """Return what is about to start, with the cores that it starts on."""
        if self._rules is None:
            return tuple(spawns)
        try:
            return tuple(
                one._replace(cores=self._cores.start(one.order, self._rules)) for one in spawns
            )
        except Exception:  # noqa: BLE001 - the jobs would end with this process
            self._fail(traceback.format_exc())
            return tuple(spawns)

    def _fail(self, text: str) -> None:
        self._seen = Seen()
        if text != self._failure:
            self._failure = text
            self._note(f"looking at others' needs failed, and holds nothing back: {text}")

    def repeats(self, at: float) -> bool:
        """Return whether it is time to stop once more what is paused."""
        if at < self._repeated_at + REPEAT_S:
            return False
        self._repeated_at = at
        return True

    def news(self, held: Iterable[HeldAttempt]) -> GuestNews | None:
        """Return what the worker does not know yet; None: nothing, or nothing was looked at."""
        if not self._has_looked:
            return None
        self._has_looked = False
        restrained = tuple(
            Restraint(one.id, tuple(one.paused_by), _words(one), one.cores_now)
            for one in held
            if one.paused_by or one.cores_now is not None
        )
        seen = self._seen
        news = GuestNews(restrained, seen.notes, seen.closed, seen.facts)
        if news == self._told:
            return None
        self._told = news
        return news


def _shown(attempt: HeldAttempt) -> GuestAttempt:
    order = attempt.order
    return GuestAttempt(
        order.attempt,
        attempt.target,
        order.share or Share(),
        attempt.started.at if attempt.started else 0.0,
        JobFolder(order.job_dir).checkpoint_dir,
        frozenset(attempt.paused_by),
        attempt.ending is not None,
        order.lane,
    )


def _words(attempt: HeldAttempt) -> str:
    return next(iter(attempt.paused_by.values()), "")
