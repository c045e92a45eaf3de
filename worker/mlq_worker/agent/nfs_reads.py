"""What the worker wants to know from NFS, each kind at a desk of its own.

How far its jobs are, what its functions returned, and how strays ended. None of it is waited for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from mlq.files.layout import Layout
from mlq.files.strict_files import Refused, Unreadable
from mlq.store.replies import Attempt, HeldAttempt
from mlq.units import format_duration
from mlq_worker.agent.attempt_result import Value
from mlq_worker.agent.attempts import AttemptTable
from mlq_worker.agent.background import BackgroundReader, NewDesk
from mlq_worker.agent.backoff import Backoff
from mlq_worker.agent.nfs import End, read_progress, read_results, read_values

Strays = tuple[list[HeldAttempt], dict[Attempt, End]]
"""Attempts the queue believes to be here, and how they ended by what lies on NFS."""

VALUE_PATIENCE_S = 600.0
"""How long a value that cannot be read is asked for; then its job ends without it."""

_LONGEST_PAUSE_BEATS = 3  # what has come back is then found soon


class Reading:
    """Asks and takes answers; a desk whose reading hangs is asked no more until it answers.

    What cannot be read is asked for again, each attempt by itself and each time later.

    Args:
        layout: where to read.
        new_desk: opens a desk.
        ring: wakes the worker's loop when there is an answer.
        clock: the worker's clock.
        beat_s: the shortest pause before something is asked for again.
    """

    def __init__(
        self,
        layout: Layout,
        new_desk: NewDesk,
        ring: Callable[[], None],
        clock: Callable[[], float],
        beat_s: float,
    ) -> None:
        self._layout, self._clock = layout, clock
        self._progress: BackgroundReader[dict[Attempt, str]] = new_desk("progress", ring)
        self._values: BackgroundReader[dict[Attempt, Value | Unreadable]] = new_desk("values", ring)
        self._strays: BackgroundReader[Strays] = new_desk("strays", ring)
        self._answered: Strays | None = None
        longest_s = _LONGEST_PAUSE_BEATS * beat_s
        self._value_pauses: Backoff[Attempt] = Backoff(beat_s, longest_s)
        # By the wish of its user, too: one that is to be stopped is looked at anew.
        self._stray_pauses: Backoff[tuple[Attempt, str]] = Backoff(beat_s, longest_s)

    def update(self, holdings: AttemptTable) -> None:
        """Take the answers about what is held, and ask for values that are lacking."""
        for attempt, text in (self._progress.answer() or {}).items():
            if attempt in holdings.attempts:
                holdings.attempts[attempt].progress = text
        now_s = self._clock()
        for attempt, found in (self._values.answer() or {}).items():
            value = self._value(attempt, found, now_s)
            if value is not None:
                holdings.set_value(attempt, value)
        lacking = [one.attempt for one in holdings.lacking_value()]
        self._value_pauses.keep(lacking)
        due = [one for one in lacking if self._value_pauses.is_due(one, now_s)]
        if due:
            self._values.ask(lambda: read_values(self._layout, due))

    def _value(self, attempt: Attempt, found: Value | Unreadable, now_s: float) -> Value | None:
        if not isinstance(found, Unreadable):
            return found
        failing_s = self._value_pauses.failed(attempt, now_s)
        if failing_s < VALUE_PATIENCE_S:
            return None
        return Refused(f"could not be read for {format_duration(failing_s)}: {found.why}")

    def ask_progress(self, attempts: list[Attempt]) -> None:
        """Ask how far these are."""
        if attempts:
            self._progress.ask(lambda: read_progress(self._layout, attempts))

    def ask_strays(self, strays: list[HeldAttempt]) -> None:
        """Ask how these ended; of those that could not be read lately only what is due again."""
        now_s = self._clock()
        self._stray_pauses.keep([(one.key, one.stop) for one in strays])
        due = [one for one in strays if self._stray_pauses.is_due((one.key, one.stop), now_s)]
        if due:
            self._strays.ask(lambda: (due, read_results(self._layout, [one.key for one in due])))

    @property
    def has_strays(self) -> bool:
        """Whether it is known of any stray how it ended."""
        if self._answered is None and (answer := self._strays.answer()) is not None:
            self._answered = self._known(*answer)
        return self._answered is not None

    def _known(self, strays: list[HeldAttempt], results: dict[Attempt, End]) -> Strays | None:
        now_s, known = self._clock(), []
        for one in strays:
            # Whose user wants it to end need not wait for storage that fails.
            if isinstance(results[one.key], Unreadable) and not one.stop:
                self._stray_pauses.failed((one.key, one.stop), now_s)
            else:
                known.append(one)
        return (known, results) if known else None

    def take_strays(self, held: Collection[Attempt]) -> Strays:
        """Return the strays asked about and how they ended, once.

        Args:
            held: what the machine holds by now. A queue that lost its last second gives the number
                of an attempt that it forgot once more, and then that is no stray any longer.
        """
        strays, results = (self._answered if self.has_strays else None) or ([], {})
        self._answered = None
        return [one for one in strays if one.key not in held], results
