"""What the worker wants to know from NFS, each kind at a desk of its own.

How far its jobs are, what its functions returned, and how strays ended. None of it is waited for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from mlq.layout import Layout
from mlq.store.replies import Attempt, HeldAttempt
from mlq_worker.holdings import Holdings
from mlq_worker.liveness.evidence import Desk, NewDesk, read_progress, read_results, read_values

Strays = tuple[list[HeldAttempt], dict[Attempt, dict[str, Any]]]
"""Attempts the queue believes to be here, and the results of those that have one on NFS."""


class Reading:
    """Asks and takes answers; a desk whose reading hangs is asked no more until it answers.

    Args:
        layout: where to read.
        new_desk: opens a desk.
        ring: wakes the worker's loop when there is an answer.
    """

    def __init__(self, layout: Layout, new_desk: NewDesk, ring: Callable[[], None]) -> None:
        self._layout = layout
        self._progress: Desk[dict[Attempt, str]] = new_desk("progress", ring)
        self._values: Desk[dict[Attempt, str]] = new_desk("values", ring)
        self._strays: Desk[Strays] = new_desk("strays", ring)
        self._answered: Strays | None = None

    def update(self, holdings: Holdings) -> None:
        """Take the answers about what is held, and ask for values that are lacking."""
        for attempt, text in (self._progress.answer() or {}).items():
            if attempt in holdings.attempts:
                holdings.attempts[attempt].progress = text
        for attempt, text in (self._values.answer() or {}).items():
            holdings.set_value(attempt, text)
        lacking = [one.attempt for one in holdings.lacking_value()]
        if lacking:
            self._values.ask(lambda: read_values(self._layout, lacking))

    def ask_progress(self, attempts: list[Attempt]) -> None:
        """Ask how far these are."""
        if attempts:
            self._progress.ask(lambda: read_progress(self._layout, attempts))

    def ask_strays(self, strays: list[HeldAttempt]) -> None:
        """Ask how these ended."""
        if strays:
            self._strays.ask(lambda: self._ends(strays))

    def _ends(self, strays: list[HeldAttempt]) -> Strays:
        results = read_results(self._layout, [one.key for one in strays])
        # Those whose result cannot be read now are asked about again.
        read = [one for one in strays if one.key in results]
        return read, {key: one for key, one in results.items() if one is not None}

    @property
    def has_strays(self) -> bool:
        """Whether it is known how the strays ended."""
        self._answered = self._answered or self._strays.answer()
        return self._answered is not None

    def take_strays(self, held: Collection[Attempt]) -> Strays:
        """Return the strays asked about and their results, once.

        Args:
            held: what the machine holds by now. A queue that lost its last second gives the number
                of an attempt that it forgot once more, and then that is no stray any longer.
        """
        strays, results = (self._answered if self.has_strays else None) or ([], {})
        self._answered = None
        return [one for one in strays if one.key not in held], results
