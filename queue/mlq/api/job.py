"""A job as Python code holds it, and how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from mlq.errors import QueueRefusedError
from mlq.jobs.view import JobView


class JobResult(NamedTuple):
    """How a job ended; `value` is what a Python function returned."""

    state: str
    exit_code: int | None
    reason: str
    directory: Path
    value: Any = None


class JobsOfQueue(Protocol):
    """The part of a queue that a job uses; `mlq.api.queue.Queue` is one."""

    def views(self, ids: Sequence[str]) -> list[JobView]:
        """Return these jobs as they are now."""

    def wait(self, ids: Sequence[str], timeout_s: float | None = None) -> list[JobView]:
        """Wait until these jobs have ended."""

    def result(self, job: JobView) -> JobResult:
        """Return how an ended job ended."""

    def cancel(self, ids: Sequence[str]) -> object:
        """Cancel jobs."""

    def requeue(self, ids: Sequence[str]) -> object:
        """Stop running attempts and queue their jobs again."""

    def retry(self, ids: Sequence[str], *, finished: bool = False) -> object:
        """Queue ended jobs again."""


class Job(NamedTuple):
    """A handle on a job in a queue; it holds nothing but the id."""

    id: str
    queue: JobsOfQueue

    def view(self) -> JobView:
        """Return the job as it is now."""
        return self.queue.views([self.id])[0]

    def wait(self, timeout_s: float | None = None) -> JobView:
        """Wait until the job has ended.

        Raises:
            TimeoutError: it had not ended after `timeout_s` seconds.
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

    def requeue(self) -> None:
        """Stop the running attempt and queue the job again, at its old place; no retry is used."""
        self.queue.requeue([self.id])

    def retry(self, *, finished: bool = False) -> None:
        """Run the job again if it failed or was canceled; if it finished, only with `finished`."""
        self.queue.retry([self.id], finished=finished)


def value_of(job_id: str, text: bytes | str) -> Any:
    """Return what a Python function returned.

    Raises:
        QueueRefusedError: something else is in its place.
    """
    from mlq.files.strict_json import parse_pythons

    try:
        return parse_pythons(text)
    except ValueError as error:
        raise QueueRefusedError(
            f"what job {job_id} returned cannot be read", why=f"its value in the queue {error}"
        ) from None
