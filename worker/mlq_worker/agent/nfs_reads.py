"""What the worker asks NFS, with a background reader for each kind of question.

It asks for the progress of jobs, the values of functions and the ends of orphans, and waits for
none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mlq.files.layout import Layout
from mlq.files.strict_files import Refused, Unreadable
from mlq.store.replies import Attempt, HeldAttempt
from mlq.units import format_duration
from mlq_worker.agent.attempt_result import Value
from mlq_worker.agent.attempts import AttemptTable
from mlq_worker.agent.background import BackgroundReader, NewReader
from mlq_worker.agent.backoff import Backoff
from mlq_worker.agent.nfs import ROOT_FILES, End, Files, read_progress, read_results, read_values

Orphans = tuple[list[HeldAttempt], dict[Attempt, End]]
"""Attempts that the queue believes to be here, and how they ended according to NFS."""

VALUE_PATIENCE_S = 600.0
"""How long the worker asks for a value that cannot be read; then its job ends without it."""

_LONGEST_PAUSE_BEATS = 3  # short, so that the worker soon notices when NFS is back


class NfsReads:
    """Asks questions and takes answers; asks a reader that hangs nothing until it answers.

    If something cannot be read, it asks again after growing pauses, for each attempt separately.

    Args:
        layout: where to read.
        new_reader: makes a background reader.
        ring: wakes the worker's loop when there is an answer.
        clock: the worker's clock.
        beat_s: the shortest pause before something is asked for again.
        files: how the results root is read.
    """

    def __init__(
        self,
        layout: Layout,
        new_reader: NewReader,
        ring: Callable[[], None],
        clock: Callable[[], float],
        beat_s: float,
        files: Files = ROOT_FILES,
    ) -> None:
        self._layout, self._clock, self._files = layout, clock, files
        self._progress: BackgroundReader[dict[Attempt, str]] = new_reader("progress", ring)
        self._values: BackgroundReader[dict[Attempt, Value | Unreadable]] = new_reader(
            "values", ring
        )
        self._orphans: BackgroundReader[Orphans] = new_reader("orphans", ring)
        self._answered: Orphans | None = None
        longest_s = _LONGEST_PAUSE_BEATS * beat_s
        self._value_pauses: Backoff[Attempt] = Backoff(beat_s, longest_s)
        # Keyed by the user's wish, too: when the user stops an attempt, it is looked at again.
        self._orphan_pauses: Backoff[tuple[Attempt, str]] = Backoff(beat_s, longest_s)

    def update(self, attempts: AttemptTable) -> None:
        """Take the answers about held attempts, and ask for missing values."""
        for attempt, text in (self._progress.answer() or {}).items():
            if attempt in attempts.by_key:
                attempts.by_key[attempt].progress = text
        now_s = self._clock()
        for attempt, found in (self._values.answer() or {}).items():
            value = self._value(attempt, found, now_s)
            if value is not None:
                attempts.set_value(attempt, value)
        lacking = [one.attempt for one in attempts.lacking_value()]
        self._value_pauses.keep(lacking)
        due = [one for one in lacking if self._value_pauses.is_due(one, now_s)]
        if due:
            self._values.ask(lambda: read_values(self._layout, due, self._files))

    def _value(self, attempt: Attempt, found: Value | Unreadable, now_s: float) -> Value | None:
        if not isinstance(found, Unreadable):
            return found
        failing_s = self._value_pauses.failed(attempt, now_s)
        if failing_s < VALUE_PATIENCE_S:
            return None
        return Refused(f"could not be read for {format_duration(failing_s)}: {found.why}")

    def ask_progress(self, attempts: Sequence[Attempt]) -> None:
        """Ask for the progress of these attempts."""
        if attempts:
            self._progress.ask(lambda: read_progress(self._layout, attempts, self._files))

    def ask_orphans(self, orphans: Sequence[HeldAttempt]) -> None:
        """Ask how these ended, leaving out those that failed lately and are not due again."""
        now_s = self._clock()
        self._orphan_pauses.keep([(one.key, one.stop) for one in orphans])
        due = [one for one in orphans if self._orphan_pauses.is_due((one.key, one.stop), now_s)]
        if due:
            keys = [one.key for one in due]
            self._orphans.ask(lambda: (due, read_results(self._layout, keys, self._files)))

    @property
    def orphans(self) -> Orphans | None:
        """The orphans that were asked about and how they ended, once that is known for any."""
        if self._answered is None and (answer := self._orphans.answer()) is not None:
            self._answered = self._known(*answer)
        return self._answered

    def drop_orphans(self) -> None:
        """Drop the answers about orphans: the worker has acted on them."""
        self._answered = None

    def _known(self, orphans: list[HeldAttempt], results: dict[Attempt, End]) -> Orphans | None:
        now_s, known = self._clock(), []
        for one in orphans:
            # An attempt that its user wants to end need not wait for storage that fails.
            if isinstance(results[one.key], Unreadable) and not one.stop:
                self._orphan_pauses.failed((one.key, one.stop), now_s)
            else:
                known.append(one)
        return (known, results) if known else None
