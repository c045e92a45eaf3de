"""The queue as Python code sees it: `from mlq import Queue, Job`.

    queue = Queue.connect()
    job = queue.enqueue(["python", "train.py", "--lr", "0.1"], cores=4, gpus=1, vram="6G")
    job.wait()
    print(job.result().exit_code, job.view().directory)

`mlq enqueue` and its neighbours are written on the same class. Here is what puts jobs into the
queue; what becomes of those in it is in `queued_jobs`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Unpack

from mlq.api.job import Job
from mlq.api.queued_jobs import QueuedJobs
from mlq.errors import InvalidInputError
from mlq.settings.load import load
from mlq.store.store import Store
from mlq.units import utc_iso

if TYPE_CHECKING:
    from mlq.api.search_arguments import SearchArguments, Searched
    from mlq.api.search_driver import Driver
    from mlq.api.search_look import ReadFile
    from mlq.api.submitting import Submitter
    from mlq.api.sweep_arguments import SweepArguments
    from mlq.api.sweeps import HowSwept
    from mlq.search.decide import Standing
    from mlq.search.order import Asked, Order
    from mlq.search.space import Space
    from mlq.search.suggested import Suggest
    from mlq.submit.submission import Options, Submission
    from mlq.sweeps.plan import SweepPlan
    from mlq.sweeps.report import SweepReport


class Queue(QueuedJobs):
    """One queue, into which jobs are put; its arguments are those of `QueuedJobs`."""

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

    def submit_members(
        self,
        plan: SweepPlan,
        submissions: Sequence[Submission],
        *,
        typed: bool = False,
        **options: Unpack[HowSwept],
    ) -> SweepReport:
        """Enqueue a sweep of its own whose members differ in more than their command.

        Args:
            plan: its members.
            submissions: one for each member, in the same order.
            typed: as for `submit`.
            options: see `mlq.api.sweeps.SweepOptions`.

        Raises:
            InvalidInputError: an option cannot be used; nothing was enqueued.
            JobNotFoundError: `after` names a job that does not exist.
        """
        from mlq.api.sweeps import SweepOptions

        how = SweepOptions(**options, is_new=True)
        return self._submitter().submit_members(plan, submissions, how, self.progress, typed=typed)

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
