"""The jobs of a queue: found, looked at, waited for, canceled, run again.

`mlq.api.queue.Queue` is made of this class and of what puts jobs into the queue.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlq.api import many
from mlq.api.conditions import in_words, with_conditions
from mlq.api.glanced import Glanced, alone
from mlq.api.job import JobResult, value_of
from mlq.errors import (
    InvalidInputError,
    JobNotFoundError,
    QueueUnreachableError,
    UnsafePathError,
)
from mlq.files.layout import Layout
from mlq.ids import order_key
from mlq.jobs.lifecycle import ENDED, State
from mlq.jobs.view import FIELDS, JobView, view
from mlq.settings.settings import Settings
from mlq.store.job_hashes import returned
from mlq.store.store import Store
from mlq.submit import python_arguments

if TYPE_CHECKING:
    from mlq.api.many import Retried
    from mlq.api.requeueing import Requeued
    from mlq.api.results import Results
    from mlq.code.keeping import Elsewhere

WAIT_POLL_S = 0.25


class QueuedJobs:
    """One queue: a store, the settings and the clock.

    Args:
        store: where jobs are kept.
        settings: of this installation.
        key: the signing key; needed only to enqueue.
        environ: the caller's variables, of which jobs get some (`mlq.submit.captured`).
        clock: unix time.
        sleep: waits so many seconds.

    Three methods may be replaced: `tell` is called with each message for the user, once for each
    text; `progress` with how many jobs are done and how many there are, after each slice.
    `elsewhere` returns the results root as the queue's host has it, if it is not mounted here.
    `chosen` tells what memory the last jobs enqueued got for `auto`, and from how many runs.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        *,
        key: bytes | None = None,
        environ: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.store, self.settings = store, settings
        self.layout = Layout(settings.root)
        self._key, self._clock, self._sleep = key, clock, sleep
        self._environ, self._told = environ or {}, set[str]()
        self.tell: Callable[[str], None] = lambda _: None
        self.progress: Callable[[int, int], None] = lambda _done, _of: None
        self.elsewhere: Callable[[], Elsewhere] | None = None
        self.chosen: list[str] = []

    def select(
        self, typed: Iterable[str], states: Collection[str] = (), eligible: Collection[str] = ()
    ) -> list[str]:
        """Return the ids of the jobs that words mean, each once; see `mlq.api.selecting.select`.

        Args:
            typed: ids, ranges, names and globs; none with `states`: all jobs in these.
            states: only jobs in one of these.
            eligible: if `states` are not given, globs mean only jobs in these.

        Raises:
            JobNotFoundError: a word means no job.
        """
        from mlq.api.selecting import select

        words = python_arguments.texts("selections", typed, '["1042", "lr-*"]')
        return select(self.store, words, states, eligible, self._tell_once)

    def views(self, ids: Sequence[str]) -> list[JobView]:
        """Return these jobs as they are now; raise JobNotFoundError if one does not exist."""
        rows = self.store.reads.rows(FIELDS, python_arguments.ids(ids))
        missing = set(ids) - {row[0] for row in rows}
        if missing:
            raise JobNotFoundError(f"no job {', '.join(sorted(missing, key=order_key))}")
        return [self._view(row) for row in rows]

    def unended(self) -> list[JobView]:
        """Return all jobs that have not ended, in order of submission."""
        return self._index("unended")

    def recent(self, since_s: float) -> list[JobView]:
        """Return the jobs that have not ended, or since this unix time, in order of submission.

        The running ones say what is wrong with their machine.
        """
        rows, conditions = self.store.reads.recent(FIELDS, since_s)
        latest = {job.id: job for job in map(self._view, rows)}
        jobs = sorted(latest.values(), key=lambda job: order_key(job.id))
        return with_conditions(jobs, in_words(conditions, self.settings))

    def glance(self, since_s: float, ended: int) -> Glanced:
        """Return what `mlq ls` shows of the jobs that have not ended, or since this unix time.

        Args:
            since_s: unix time.
            ended: how many of the jobs that ended last to return, if there are many.
        """
        seen = self.store.reads.glance(FIELDS, since_s, ended)
        latest = {row[0]: row for row in seen.rows}
        jobs = [self._view(latest[one]) for one in sorted(latest, key=order_key)]
        jobs = with_conditions(jobs, in_words(seen.conditions, self.settings))
        return Glanced(jobs, seen.sweeps, seen.paused, alone(seen))

    def every(self) -> list[JobView]:
        """Return all jobs, in order of submission."""
        return self._index("jobs")

    def conditions(self) -> dict[str, str]:
        """Describe what is wrong with machines that hold jobs; healthy machines are omitted."""
        return in_words(self.store.reads.conditions(), self.settings)

    def with_conditions(self, jobs: Sequence[JobView]) -> list[JobView]:
        """Return these jobs; the running ones say what is wrong with their machine."""
        if not any(job.state == State.STARTED for job in jobs):
            return list(jobs)
        return with_conditions(jobs, self.conditions())

    def wait(self, ids: Sequence[str], timeout_s: float | None = None) -> list[JobView]:
        """Wait until these jobs have ended and return them.

        Once the queue has answered, it may become unreachable: its server may be restarted, or the
        network cut. `tell` is called with a message, and the waiting goes on.

        Raises:
            TimeoutError: some had not ended after `timeout_s` seconds.
        """
        timeout_s = python_arguments.timeout(timeout_s)
        deadline_s = None if timeout_s is None else self._clock() + timeout_s
        views = self.views(ids)
        while running := [one.id for one in views if one.state not in ENDED]:
            if deadline_s is not None and self._clock() >= deadline_s:
                raise TimeoutError(f"not ended after {timeout_s} s: {', '.join(running)}")
            self._sleep(WAIT_POLL_S)
            try:
                views = self.views(ids)
            except UnsafePathError:
                raise
            except QueueUnreachableError as error:
                self._tell_once(f"{error.what}; waiting until it does")
        return views

    def result(self, job: JobView) -> JobResult:
        """Return how an ended job ended; raise InvalidInputError if it has not."""
        if not isinstance(job, JobView):
            raise InvalidInputError(
                f"a job as `views` returns it is needed, not {job!r}",
                fix="queue.result(queue.views([ID])[0]), or Job(ID, queue).result()",
            )
        if job.state not in ENDED:
            raise InvalidInputError(f"job {job.id} has no result yet", why=f"it is {job.state}")
        raw = returned(self.store.client, job.id)
        value = value_of(job.id, raw) if raw else None
        return JobResult(job.state, job.exit_code, job.reason, Path(job.directory), value)

    def results(self, *jobs: str, states: Collection[str] = (), at: str | None = None) -> Results:
        """Return the results of jobs as a table: parameters, states, times and metrics.

        Args:
            jobs: sweeps, ids, ranges, names and globs.
            states: only jobs in these; none: all, but only finished ones count in means.
            at: `"min:val_loss"`: all metrics at the step at which that one was least, read from
                the results root; None: the last value of each, which the queue has.

        Raises:
            JobNotFoundError: a word means no job.
            InvalidInputError: `at` means no metric.
        """
        from mlq.api.curves import curves_here
        from mlq.api.results import Results, results_of, taken_at

        words = python_arguments.texts("jobs", jobs, '"lr"')
        table, _ = results_of(self.store, words, states, self._clock(), self._tell_once)
        if at is not None:
            table = taken_at(table, at, lambda some: curves_here(self.layout, some))
        return Results(table)

    def cancel(self, ids: Sequence[str], reason: str = "canceled") -> tuple[list[str], list[str]]:
        """Cancel jobs; return those canceled at once, and the running ones that are being stopped.

        Jobs that had ended already are in neither list.
        """
        return many.cancel(
            self.store, python_arguments.ids(ids), reason, self._clock, self.progress
        )

    def requeue(self, ids: Sequence[str], reason: str = "queued again by its user") -> Requeued:
        """Stop the running attempts of jobs and queue them again, at their old place.

        No retry is used up. A job that its user has canceled stays so.
        """
        from mlq.api.requeueing import requeue

        return requeue(self.store, python_arguments.ids(ids), reason)

    def retry(self, ids: Sequence[str], *, finished: bool = False) -> Retried:
        """Queue jobs that failed or were canceled again, at their old place.

        A job that comes after another of them waits for it again; jobs that were canceled because
        of one of them are put back, too. A second call changes nothing.

        Args:
            ids: the jobs; those that have not ended are left alone.
            finished: whether to run finished jobs again, too: their new attempts use the same
                folders `output` and `checkpoint`.
        """
        return many.retry(
            self.store,
            python_arguments.ids(ids),
            self._clock,
            self.progress,
            finished=finished,
        )

    def _tell_once(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self.tell(text)

    def _index(self, name: str, from_score: float = 0) -> list[JobView]:
        pages = self.store.reads.pages(FIELDS, name, from_score)
        return [self._view(row) for page in pages for row in page]

    def _view(self, row: Sequence[str]) -> JobView:
        return view(row, self.layout, self.settings.default_mem_mib)
