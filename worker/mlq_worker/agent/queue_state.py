"""Whether the queue answers, and whether what answers is still this worker's queue.

The server may come back at any moment with other data: started on another folder, restored from a
backup, emptied. The worker treats another queue, or none, as silence: it starts nothing, ends
nothing and writes nothing there. The same queue with older data has forgotten numbers that it gave
out. So after each absence of the queue, the worker raises its numbers above those in the results
root before it takes a new job.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from mlq.errors import MachineNameError, MlqError, OtherQueueError, QueueRefusedError
from mlq.files.layout import Layout
from mlq.store.replies import Renewal
from mlq_worker.agent.background import BackgroundReader, NewReader
from mlq_worker.agent.nfs import ROOT_FILES, Files

log = logging.getLogger(__name__)

_RETRY_S = 1.0
_SHOWN = 5
_NUMBERS = "looking for the numbers that were given out already"


class QueueState:
    """Whether and when the queue can be used.

    Args:
        layout: of the results root.
        new_reader: makes a background reader of NFS.
        ring: wakes the worker's loop.
        files: how the results root is read.
    """

    def __init__(
        self,
        layout: Layout,
        new_reader: NewReader,
        ring: Callable[[], None],
        files: Files = ROOT_FILES,
    ) -> None:
        self._layout, self._files = layout, files
        self._reader: BackgroundReader[tuple[int, int | None]] = new_reader("numbers", ring)
        self.retry_s = 0.0
        self._answer: tuple[int, int | None] = (0, None)
        self._told = ""
        self._other = ""
        self._unknown: tuple[str, ...] = ()
        # How often the queue was away, and after which absence the numbers were last raised.
        self._absences = self._raised = 0

    def failed(self, error: MlqError, now_s: float) -> None:
        """Pause use of a queue that did not answer, or that is another queue."""
        if str(error) != self._told:
            self._told = str(error)
            log.warning("%s", error)
        self.retry_s = now_s + _RETRY_S
        is_other = isinstance(error, OtherQueueError | MachineNameError)
        self._other = error.what if is_other else ""
        if not isinstance(error, QueueRefusedError):
            self._absences += 1

    def renewed(self, renewal: Renewal) -> None:
        """Note that the queue answered a renewal."""
        self._told = self._other = ""
        self._unknown = tuple(job_id for job_id, _ in renewal.unknown)
        if renewal.adopted:
            taken = ", ".join(f"{job_id}.{number}" for job_id, number in renewal.adopted)
            log.warning("the queue had forgotten what runs here, and has taken it back: %s", taken)

    @property
    def are_numbers_unsure(self) -> bool:
        """Whether the queue was away, and may have forgotten numbers that it gave out."""
        return self._raised != self._absences

    def ask_largest_number(self) -> None:
        """Ask the results root for its largest job number."""
        absences = self._absences
        self._reader.ask(lambda: (absences, self._largest()))

    @property
    def largest_number(self) -> int | None:
        """The largest job number in the results root, if read since the queue's last absence."""
        self._answer = self._reader.answer() or self._answer
        asked, largest = self._answer
        return largest if self.are_numbers_unsure and asked == self._absences else None

    def raised(self) -> None:
        """Note that the queue's numbers are above those of the results root."""
        self._raised = self._absences

    def _largest(self) -> int | None:
        try:
            with self._files.pinned(self._layout) as root:
                return self._files.largest_number(root)
        except OSError as error:
            log.warning("the results root %s cannot be read: %s", self._layout.root, error)
            return None

    @property
    def obstacle(self) -> str:
        """Why the worker must take no jobs now; "" if it may."""
        return self._other or (_NUMBERS if self.are_numbers_unsure else "")

    @property
    def unwell(self) -> str:
        """What is wrong but not fatal, in words; "" if nothing is."""
        if self._other:
            return f"{self._other}; its jobs go on, and none is started"
        if not self._unknown:
            return ""
        shown = ", ".join(self._unknown[:_SHOWN])
        more = len(self._unknown) - _SHOWN
        also = f" and {more} more" if more > 0 else ""
        return f"runs what the queue does not know: {shown}{also} (mlq server restore)"
