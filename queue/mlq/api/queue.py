"""The queue as Python code sees it: `from mlq import Queue, Job`.

    queue = Queue.connect()
    job = queue.enqueue(["python", "train.py", "--lr", "0.1"], cores=4, gpus=1, vram="6G")
    job.wait()
    print(job.result().exit_code, job.view().directory)

`mlq enqueue` and its neighbours are written on the same class.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from mlq.api import many
from mlq.api.conditions import in_words, with_conditions
from mlq.api.glanced import Glanced, alone
from mlq.api.job import Job, JobResult, value_of
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
from mlq.settings.load import load
from mlq.settings.settings import Settings
from mlq.store.job_hashes import returned
from mlq.store.store import Store
from mlq.submit import python_arguments
from mlq.units import utc_iso

if TYPE_CHECKING:
    from mlq.api.many import Retried
    from mlq.api.results import Results
    from mlq.api.search_arguments import SearchArguments, Searched
    from mlq.api.search_driver import Driver
    from mlq.api.search_look import ReadFile
    from mlq.api.submitting import Submitter
    from mlq.api.sweep_arguments import SweepArguments
    from mlq.api.sweeps import HowSwept
    from mlq.code.keeping import Elsewhere
    from mlq.search.decide import Standing
    from mlq.search.order import Asked, Order
    from mlq.search.space import Space
    from mlq.search.suggested import Suggest
    from mlq.submit.submission import Options, Submission
    from mlq.sweeps.plan import SweepPlan
    from mlq.sweeps.report import SweepReport

WAIT_POLL_S = 0.25


class Queue:
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

    @classmethod
    def connect(cls, environ: Mapping[str, str] = os.environ) -> Queue:
        """Return the queue of these settings (default: this process's), over redis-py.

        Jobs get variables of the same environment (`mlq.submit.captured`).
        """
        import logging

        from mlq.store.connection import open_client

        settings = load(environ).settings
        queue = cls(Store(open_client(settings)), settings, environ=environ)
        queue.tell = logging.getLogger("mlq").warning
        return queue

    def enqueue(self, command: Sequence[str], **options: Unpack[Options]) -> Job:
        """Put one command in the queue; when this returns, it is on the queue's disk.

        Args:
            command: the program and its arguments; no shell is involved.
            options: see `mlq.submit.submission.Submission`.

        Raises:
            InvalidInputError: an option cannot be used.
            StorageError: the results root, where code and secrets go, cannot be written from here.
            JobNotFoundError: `after` names a job that does not exist.
        """
        from mlq.submit.submission import Submission, argv_of

        return self.submit([Submission(argv=argv_of(command), **options)])[0]

    def enqueue_many(
        self, commands: Iterable[Sequence[str]], **options: Unpack[Options]
    ) -> list[Job]:
        """Put many commands with the same options in the queue, in their order."""
        from mlq.submit.submission import Submission, argv_of

        template = Submission(**options)
        if isinstance(commands, str | bytes) or not isinstance(commands, Iterable):
            raise InvalidInputError(
                f"a list of commands is needed, not {commands!r}", fix='[["python", "train.py"]]'
            )
        return self.submit([template.with_argv(argv_of(command)) for command in commands])

    def sweep(self, command: Sequence[str], **options: Unpack[SweepArguments]) -> SweepReport:
        """Enqueue a sweep: one command, and the values that its parameters take.

        Those of its members run that are new, failed, were canceled or are missing.

        Args:
            command: the program and its arguments; `{lr}` stands for the parameter `lr`.
            options: `grid` has names with values, `rows` lists members; for the others see
                `mlq.sweeps.planning.Wanted`, `mlq.api.sweeps.SweepOptions` and `enqueue`.

        Raises:
            InvalidInputError: something cannot be used; nothing was enqueued.
        """
        from mlq.api.sweep_arguments import Asked

        asked = Asked(command, self._environ, options, self.settings)
        return self.submit_sweep(asked.plan, asked.submission, **asked.how)

    def search(
        self, command: Sequence[str], suggest: Suggest, **options: Unpack[SearchArguments]
    ) -> Searched:
        """Search: enqueue members of a sweep, each chosen from what the earlier ones measured.

        Return when all have ended. A call that was killed goes on where it was if it is made again.

        Args:
            command: the program and its arguments; `{lr}` stands for the parameter `lr`.
            suggest: asks an Optuna trial for values, and returns the parameters; if it returns
                None, these are the values that it asked for.
            options: see `mlq.api.search_arguments.SearchArguments`.

        Raises:
            InvalidInputError: something cannot be used; nothing was enqueued.
            SearchError: the members do not report the objective, or they all fail.
            MissingOptunaError: Optuna is not installed here.
        """
        from mlq.api.search_arguments import Request, searched
        from mlq.search.study import check_optuna

        check_optuna()
        asked = Request(command, suggest, self._environ, options, self.settings)
        order = self.begin_search(asked.asked, asked.submission, asked.max_fails, typed=False)
        driver = self.driver(order, asked.space, lambda now: self.progress(now.ended, now.of))
        return searched(order, driver.run())

    def begin_search(
        self, asked: Asked, submission: Submission, max_fails: int | None = None, *, typed: bool
    ) -> Order:
        """Give a search its sweep, or go on with that of its name; start nothing yet.

        Args:
            asked: the search.
            submission: what its members have in common; its command and its name are ignored.
            max_fails: see `mlq.api.sweeps.SweepOptions`.
            typed: as for `submit`.

        Raises:
            InvalidInputError: something cannot be used.
        """
        from mlq.api.sweeps import SweepOptions

        how = SweepOptions(max_fails=max_fails)
        return self._submitter().begin_search(asked, submission, how, typed=typed)

    def driver(
        self,
        order: Order,
        space: Space,
        show: Callable[[Standing], None],
        read: ReadFile | None = None,
    ) -> Driver:
        """Return what drives a search that has begun.

        Args:
            order: the search.
            space: what its parameters may be.
            show: called with how far it is, again and again.
            read: reads a file of the results root, if that is not mounted here.
        """
        from mlq.api.search_driver import Driver, Tools
        from mlq.api.search_look import reader
        from mlq.jobs.signing import load_key

        self._key = self._key or load_key(self.settings.key_file)
        tools = Tools(
            self.store,
            self.layout,
            self._key,
            read or reader(self.settings.root),
            self._clock,
            self._sleep,
            show,
            self.tell,
        )
        return Driver(order, space, tools)

    def submit(self, submissions: Sequence[Submission], *, typed: bool = False) -> list[Job]:
        """Number, sign and store submissions (`mlq.submit.submission.Submission`).

        Args:
            submissions: what is asked for.
            typed: whether a parser that lets no wrong type through made them. Otherwise types are
                checked, too, which takes longer than everything else.
        """
        ids = self._submitter().submit(submissions, typed=typed)
        return [Job(job_id, self) for job_id in ids]

    def submit_sweep(
        self,
        plan: SweepPlan,
        submission: Submission,
        *,
        typed: bool = False,
        **options: Unpack[HowSwept],
    ) -> SweepReport:
        """Enqueue a sweep: those of its members that are new, failed, were canceled or are missing.

        Args:
            plan: its members.
            submission: what they have in common; its command and its name are ignored.
            typed: as for `submit`.
            options: see `mlq.api.sweeps.SweepOptions`.

        Raises:
            InvalidInputError: an option cannot be used; nothing was enqueued.
            JobNotFoundError: `after` names a job that does not exist.
        """
        from mlq.api.sweeps import SweepOptions

        how = SweepOptions(**options)
        submitter = self._submitter()
        return submitter.submit_sweep(plan, submission, how, self.progress, typed=typed)

    def look_at_sweep(
        self,
        plan: SweepPlan,
        submission: Submission,
        *,
        typed: bool = False,
        **options: Unpack[HowSwept],
    ) -> SweepReport:
        """Return what `submit_sweep` would do; change and write nothing."""
        from mlq.api.sweeps import SweepOptions

        how = SweepOptions(**options)
        return self._submitter().look_at_sweep(plan, submission, how, typed=typed)

    def _submitter(self) -> Submitter:
        from mlq.api.submitting import Submitter
        from mlq.jobs.signing import load_key

        if self._key is None:
            self._key = load_key(self.settings.key_file)
        at = utc_iso(self._clock())
        self.chosen = []
        return Submitter(
            self.store,
            self.settings,
            self._environ,
            self._key,
            at,
            self._tell_once,
            self.elsewhere,
            self.chosen,
        )

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
