"""How jobs and sweeps get into the queue: checked, with their code, numbered, signed and stored.

Everything that can be refused is refused before a number is drawn, and code and secrets are on the
results root before the queue hears of a job that needs them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from mlq.api.selecting import with_parents
from mlq.errors import InvalidInputError
from mlq.files.layout import Layout
from mlq.settings.settings import Settings
from mlq.store.store import Store
from mlq.submit.numbering import store_all
from mlq.submit.passing import Prepared, prepare

if TYPE_CHECKING:
    from mlq.api.sweeps import SweepOptions
    from mlq.code.keeping import Elsewhere
    from mlq.search.order import Asked, Order
    from mlq.submit.batch import Checked
    from mlq.submit.submission import Submission
    from mlq.sweeps.plan import SweepPlan
    from mlq.sweeps.report import SweepReport


class Submitter(NamedTuple):
    """Puts submissions into a queue.

    Args:
        store: the queue.
        settings: of this installation.
        environ: the caller's variables.
        key: the signing key.
        at: the time of submission, ISO.
        tell: called with each message for the user.
        elsewhere: returns the results root as the queue's host has it; None if it cannot be reached
            that way.
        choices: gets a text for each size that was `auto`: what was chosen, and from what.
    """

    store: Store
    settings: Settings
    environ: Mapping[str, str]
    key: bytes
    at: str
    tell: Callable[[str], None]
    elsewhere: Callable[[], Elsewhere] | None = None
    choices: list[str] | None = None

    def submit(self, submissions: Sequence[Submission], *, typed: bool) -> list[str]:
        """Submit jobs and return their ids; see `mlq.api.queue.Queue.submit`."""
        prepared = self._prepared(submissions, typed=typed)
        prepared = prepared.with_checked(self._chosen(prepared.checked, [{}] * len(submissions)))
        prepared.keep_secrets(Layout(self.settings.root), self.store.client)
        signed = store_all(self.store, prepared.checked, self.key, self.at)
        ids = [job.spec.id for job in signed]
        self._acknowledge(ids, prepared)
        return ids

    def submit_sweep(
        self,
        plan: SweepPlan,
        submission: Submission,
        options: SweepOptions,
        progress: Callable[[int, int], None],
        *,
        typed: bool,
    ) -> SweepReport:
        """Submit a sweep; see `mlq.api.queue.Queue.submit_sweep`."""
        from mlq.submit.members import submissions_of

        options.check()
        if not plan.members:
            raise InvalidInputError(f"sweep {plan.name} has no members", why="nothing would run")
        submissions = submissions_of(plan, submission)
        return self.submit_members(plan, submissions, options, progress, typed=typed)

    def submit_members(
        self,
        plan: SweepPlan,
        submissions: Sequence[Submission],
        options: SweepOptions,
        progress: Callable[[int, int], None],
        *,
        typed: bool,
    ) -> SweepReport:
        """Submit a sweep; see `mlq.api.queue.Queue.submit_members`."""
        from mlq.api.sweeps import CheckedPlan, SweepSubmitter
        from mlq.submit.members import CheckedMember

        prepared = self._prepared(submissions, typed=typed)
        is_auto = any(one.is_auto for one in submissions)
        params = [dict(one.params) for one in plan.members] if is_auto else []
        prepared = prepared.with_checked(self._chosen(prepared.checked, params))
        prepared.keep_secrets(Layout(self.settings.root), self.store.client)
        members = [*map(CheckedMember, plan.members, prepared.checked)]
        checked = CheckedPlan(plan.name, members, plan.varying, self.at)
        layout = Layout(self.settings.root)
        report = SweepSubmitter(self.store, layout, checked, self.key, progress).submit(options)
        self._acknowledge([str(report.number)], prepared)
        return report._replace(chosen=tuple(self.choices or ()))

    def look_at_sweep(
        self, plan: SweepPlan, submission: Submission, options: SweepOptions, *, typed: bool
    ) -> SweepReport:
        """Return what submitting a sweep would do; see `mlq.api.queue.Queue.look_at_sweep`."""
        from mlq.api.sweeps import CheckedPlan, SweepSubmitter
        from mlq.submit.members import CheckedMember, submissions_of

        options.check()
        first = submissions_of(plan._replace(members=plan.members[:1]), submission)
        (like,) = self._prepared(first, typed=typed, dry=True).checked
        if submission.is_auto:
            alike = [(like[0].with_argv(tuple(one.argv)), like[1]) for one in plan.members]
            self._chosen(alike, [dict(one.params) for one in plan.members])
        members = [CheckedMember(one, like) for one in plan.members]
        checked = CheckedPlan(plan.name, members, plan.varying, self.at)
        sweep = SweepSubmitter(self.store, Layout(self.settings.root), checked, self.key)
        return sweep.look(options)._replace(chosen=tuple(self.choices or ()))

    def begin_search(
        self, asked: Asked, submission: Submission, options: SweepOptions, *, typed: bool
    ) -> Order:
        """Begin a search; see `mlq.api.queue.Queue.begin_search`."""
        from dataclasses import replace

        from mlq.api import search_members

        options.check()
        search_members.check(asked)
        if submission.hold:
            raise InvalidInputError(
                "--hold is not for a search",
                why="its members are made one by one",
                fix=f"hold it once it has begun: mlq hold {asked.name}",
            )
        like = replace(submission, name=asked.name, argv=asked.command)
        prepared = self._prepared([like], typed=typed)
        prepared = prepared.with_checked(self._chosen(prepared.checked, [{}]))
        prepared.keep_secrets(Layout(self.settings.root), self.store.client)
        ((with_code, template),) = prepared.checked
        spec = replace(template, argv=with_code.argv)
        order = search_members.begin(self.store, asked, spec, options, self.at, self.tell)
        self._acknowledge([str(order.number)], prepared)
        return order

    def _prepared(
        self, submissions: Sequence[Submission], *, typed: bool, dry: bool = False
    ) -> Prepared:
        placed = with_parents(self.store, submissions, self.tell)
        prepared = prepare(placed, self.at, self.settings, self.environ, self.key, typed=typed)
        return prepared.with_code(self.settings, self.store.client, self.elsewhere, dry=dry)

    def _chosen(self, checked: list[Checked], params: Sequence[Mapping[str, str]]) -> list[Checked]:
        """Return checked submissions with their memory, if it is `auto`, and tell what it is."""
        if not any(submission.is_auto for submission, _ in checked):
            return checked
        from mlq.submit.automatic import Chooser, applied, texts

        chooser = Chooser(self.store.reads.past, self.store.reads.machines())
        choices = [
            chooser.choose(submission, like, submission.argv, of_member)
            for (submission, like), of_member in zip(checked, params, strict=True)
        ]
        for text in texts([submission for submission, _ in checked], choices):
            self.tell(text)
            if self.choices is not None:
                self.choices.append(text)
        return applied(checked, choices)

    def _acknowledge(self, ids: Sequence[str], prepared: Prepared) -> None:
        from mlq.server.acknowledged import acknowledge

        if acknowledge(self.settings, ids):
            from mlq.server import known  # it takes a fifth of `mlq enqueue`; once is enough

            known.remember(self.settings)
        for text in prepared.notices():
            self.tell(text)
