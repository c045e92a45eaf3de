"""The role of keeping a copy of all jobs that have not ended on the results root.

One worker has it at a time, as one has the reaper's; another, since a machine whose NFS hangs or
whose disk is full must not keep both. All of it happens in the background, in a thread that may
hang. A holder that gets no copy written lets the role go for a while, so another machine tries.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from mlq.copies.keeper import CopyKeeper, Kept
from mlq.store.store import Store
from mlq_worker.agent.background import BackgroundReader
from mlq_worker.agent.context import MachineContext

log = logging.getLogger(__name__)

# A copy may be a minute old: half of it is left for making it and writing it on a slow NFS.
EVERY_S = 30.0
_GIVES_UP_S = 60.0
_ROLE_BEATS = 3


class Copying:
    """The role, held or not.

    Args:
        store: the queue.
        context: this machine; its clocks and background readers are used.
        wake: called when a copy was made.
    """

    def __init__(self, store: Store, context: MachineContext, wake: Callable[[], None]) -> None:
        self._store, self._settings = store, context.settings
        self._clock = context.clocks.monotonic_s
        self._reader: BackgroundReader[Kept] = context.new_reader("copy", wake)
        self._keeper = CopyKeeper(
            store, context.layout, context.settings.machine, context.settings.keep_days
        )
        self._asked_s = self._due_s = self._away_until_s = 0.0
        self._trouble = ""

    def tick(self) -> None:
        """Make a copy if the role is ours and one is due; called with each renewal."""
        now_s = self._clock()
        self._hear(now_s)
        if self._reader.busy and now_s > self._asked_s + _GIVES_UP_S:
            self._fail(f"nothing came of it within {_GIVES_UP_S:g} s", now_s)
        if now_s < self._away_until_s:
            return
        ours, ttl_s = self._settings.machine, _ROLE_BEATS * self._settings.beat_s
        if self._store.hold_role("copier", ours, ttl_s, now_s) != ours or now_s < self._due_s:
            return
        if self._reader.ask(self._keeper.keep):
            self._asked_s, self._due_s = now_s, now_s + EVERY_S

    def _hear(self, now_s: float) -> None:
        kept = self._reader.answer()
        if kept is None:
            return
        if kept.trouble:
            self._fail(kept.trouble, now_s)
        else:
            self._trouble = ""

    def _fail(self, trouble: str, now_s: float) -> None:
        if trouble != self._trouble:
            log.warning("no copy of the queue's jobs could be made: %s", trouble)
        self._trouble, self._away_until_s = trouble, now_s + 2 * EVERY_S
