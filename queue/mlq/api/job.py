"""A job as Python code holds it, and how it ended."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mlq.errors import QueueRefusedError
from mlq.jobs.view import JobView

if TYPE_CHECKING:
    from mlq.api.queue import Queue


class JobResult(NamedTuple):
    """How a job ended; `value` is what a Python function returned."""

    state: str
    exit_code: int | None
    reason: str
    directory: Path
    value: Any = None


class Job(NamedTuple):
    """A handle on a job in a queue; it holds nothing but the id."""

    id: str
    queue: Queue

    def view(self) -> JobView:
        """Return the job as it is now."""
        return self.queue.views([self.id])[0]

    def wait(self, timeout_s: float | None = None) -> JobView:
        """Wait until the job has ended.

        Raises:
            TimeoutError: it had not ended after `timeout_s`.
        """
        return self.queue.wait([self.id], timeout_s)[0]

    def result(self) -> JobResult:
        """Return how the job ended.

        Raises:
            InvalidInputError: it has not ended yet.
        """
        return self.queue.result(self.view())

    def cancel(self) -> None:
        """Cancel the job; if it runs, its worker stops it first."""
        self.queue.cancel([self.id])

    def retry(self, *, finished: bool = False) -> None:
        """Run the job again if it failed or was canceled; if it finished, only with `finished`."""
        self.queue.retry([self.id], finished=finished)


def value_of(job_id: str, text: bytes | str) -> Any:
    """Return what a Python function returned.

    Raises:
        QueueRefusedError: somebody put something else in its place.
    """
    from mlq.files.strict_json import parse_pythons

    try:
        return parse_pythons(text)
    except ValueError as error:
        raise QueueRefusedError(
            f"what job {job_id} returned cannot be read", why=f"its value in the queue {error}"
        ) from None
