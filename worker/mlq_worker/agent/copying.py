"""The role of keeping a copy of all jobs that have not ended on the results root.

One worker has the role at a time. It is not tied to the reaper's role, since a machine whose NFS
hangs or whose disk is full must not keep both. Copies are made in a background thread, which may
hang. A holder that cannot write a copy gives the role up for a while, so that another machine
tries. `keep_copy` decides, and is pure; `CopierRole` asks and acts.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from mlq.copies.keeper import ROOT_COPY_FILES, CopyKeeper, Kept
from mlq.store.store import Store
from mlq_worker.agent.background import BackgroundReader
from mlq_worker.agent.context import MachineContext

log = logging.getLogger(__name__)

# A copy may be a minute old: half of that is left for making it and writing it to a slow NFS.
EVERY_S = 30.0
GIVES_UP_S = 60.0
_ROLE_BEATS = 3


@dataclass(frozen=True, slots=True)
class CopierFacts:
    """What `keep_copy` decides from.

    Args:
        now_s: a monotonic clock.
        away_until_s: when this machine may ask for the role again.
        due_s: when the next copy is due.
        busy_since_s: when the making of the present copy began; None if none is being made.
        holder: the machine that has the role, if that was asked just now.
        trouble: why no copy was made, if one was tried and has just failed.
    """

    now_s: float = 0.0
    away_until_s: float = 0.0
    due_s: float = 0.0
    busy_since_s: float | None = None
    holder: str | None = None
    trouble: str = ""

    @property
    def may_take_role(self) -> bool:
        """Whether this machine may have the role."""
        return self.now_s >= self.away_until_s


@dataclass(frozen=True, slots=True)
class TakeCopierRole:
    """Take or keep the copier's role; who has it is a fact of the next turn."""


@dataclass(frozen=True, slots=True)
class MakeCopy:
    """Make a copy, in the background."""


@dataclass(frozen=True, slots=True)
class GiveCopyingUp:
    """Give the role up for a while."""

    trouble: str


CopierAction = MakeCopy | GiveCopyingUp


def keep_copy(facts: CopierFacts, machine: str) -> list[CopierAction]:
    """Return what to do, given which machine has the role and what became of the last copy."""
    if facts.trouble:
        return [GiveCopyingUp(facts.trouble)]
    since_s = facts.busy_since_s
    if since_s is not None:
        is_stuck = facts.now_s > since_s + GIVES_UP_S and facts.may_take_role
        return [GiveCopyingUp(f"nothing came of it within {GIVES_UP_S:g} s")] if is_stuck else []
    is_due = facts.holder == machine and facts.now_s >= facts.due_s
    return [MakeCopy()] if is_due else []


class CopierRole:
    """What a worker asks and does as the copier.

    Args:
        store: the queue.
        context: this machine; its clocks and background readers are used.
        wake: called when a copy was made.
    """

    def __init__(self, store: Store, context: MachineContext, wake: Callable[[], None]) -> None:
        self._store, self._settings = store, context.settings
        self._clock = context.clocks.monotonic_s
        self._reader: BackgroundReader[Kept] = context.new_reader("copy", wake)
        settings, files = context.settings, context.copy_files
        self._asked_s = self._due_s = self._away_until_s = 0.0
        if files is None:
            self._away_until_s = float("inf")
        self._keeper = CopyKeeper(
            store, context.layout, settings.machine, settings.keep_days, files or ROOT_COPY_FILES
        )
        self._holder: str | None = None
        self._told = ""

    def facts(self) -> CopierFacts:
        """Return the facts; `holder` and `trouble` are reported only once."""
        kept, holder = self._reader.answer(), self._holder
        self._holder = None
        if kept is not None and not kept.trouble:
            self._told = ""
        return CopierFacts(
            self._clock(),
            self._away_until_s,
            self._due_s,
            self._asked_s if self._reader.busy else None,
            holder,
            kept.trouble if kept is not None else "",
        )

    def take(self) -> None:
        """Take or keep the role."""
        ttl_s = _ROLE_BEATS * self._settings.beat_s
        self._holder = self._store.roles.hold_role(
            "copier", self._settings.machine, ttl_s, self._clock()
        )

    def make(self) -> None:
        """Make a copy in the background."""
        self._asked_s = self._clock()
        self._due_s = self._asked_s + EVERY_S
        self._reader.ask(self._keeper.keep)

    def give_up(self, trouble: str) -> None:
        """Give the role up for a while; log the same trouble only once."""
        if trouble != self._told:
            log.warning("no copy of the queue's jobs could be made: %s", trouble)
        self._told, self._away_until_s = trouble, self._clock() + 2 * EVERY_S
