"""Enqueues a sweep, for the first time or again.

A sweep is a set with a name: only those members are made that are new, failed, were canceled or are
missing (`mlq.sweeps.standing`). The client first asks how each member stands, then makes members a
batch at a time. The server refuses a batch if one of its members no longer stands as the client saw
it, so two shells that enqueue the same sweep make each member once. A client that is killed in
between has made some of the members; enqueueing the sweep again makes the rest.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypedDict

from mlq.code.changes import changed_files
from mlq.errors import InvalidInputError, QueueRefusedError
from mlq.files.layout import Layout
from mlq.jobs.spec import Code
from mlq.lenient import dict_or_empty
from mlq.store.store import Store
from mlq.store.sweeps import (
    MADE,
    Made,
    Opened,
    find_sweep,
    look_members,
    open_sweep,
    submit_members,
)
from mlq.store.templates import shared_fields
from mlq.submit.members import CheckedMember, MemberSigner
from mlq.sweeps.report import SweepReport
from mlq.sweeps.standing import AGAIN, DONE, NEW, Again, Seen, Standing

_TRIES = 1000

Progress = Callable[[int, int], None]
Packs = tuple[str, ...]
"""The packs of a job's code, the project's first; none if it runs in the live folder."""


class HowSwept(TypedDict, total=False):
    """What `Queue.submit_sweep` takes besides a sweep; see `SweepOptions`."""

    again: Again
    max_running: int | None
    max_fails: int | None


class SweepOptions(NamedTuple):
    """How a sweep is enqueued.

    Args:
        again: which members that are done run again: "" none, "code" those that ran other code,
            "all" all of them.
        max_running: how many members may run at once; 0: any number; None: as before.
        max_fails: if this many members end first and all of them fail, the rest is held; 0: never;
            None: as before, 5 for a new sweep.
        is_new: whether it is a sweep of its own, even if there is one of its name.
    """

    again: Again = ""
    max_running: int | None = None
    max_fails: int | None = None
    is_new: bool = False

    def check(self) -> None:
        """Check the options; raise InvalidInputError if one cannot be used."""
        if self.again not in AGAIN:
            raise InvalidInputError(
                f"--again {self.again} is not known", fix="--again code, or --again all"
            )
        for name, value in (("max-running", self.max_running), ("max-fails", self.max_fails)):
            if value is not None and not 0 <= value < 10**6:
                raise InvalidInputError(
                    f"--{name} {value} cannot be used", why="it is a number of members, or 0"
                )

    def as_fields(self) -> dict[str, str]:
        """Return the fields that are stored with the sweep."""
        fields = {}
        if self.max_running is not None:
            fields["max_running"] = str(self.max_running)
        if self.max_fails is not None:
            fields["max_fails"] = str(self.max_fails)
        return fields


class CheckedPlan(NamedTuple):
    """A sweep that can be enqueued.

    Args:
        name: of the sweep.
        members: in their order.
        varying: the names of the parameters with more than one value.
        at: the time of submission, ISO.
    """

    name: str
    members: Sequence[CheckedMember]
    varying: tuple[str, ...]
    at: str

    @property
    def array(self) -> list[str]:
        """The keys of its members if it is an array; else none."""
        members = [one.member for one in self.members]
        return [] if members[0].task is None else [one.key for one in members]


class SweepSubmitter:
    """Enqueues one sweep.

    Args:
        store: the queue.
        layout: of its results root, to name files of code that changed.
        checked: the sweep.
        key: the signing key.
        progress: called with how many members are made, and how many there are.
    """

    def __init__(
        self,
        store: Store,
        layout: Layout,
        checked: CheckedPlan,
        key: bytes,
        progress: Progress = lambda _done, _of: None,
    ) -> None:
        self._store, self._layout, self._key, self._progress = store, layout, key, progress
        self._checked = checked
        self._packs = packs_of(checked.members[0].checked[1].code)
        self._theirs: dict[str, Packs | None] = {}

    def submit(self, options: SweepOptions) -> SweepReport:
        """Make the members that are to run; when this returns, they are on the queue's disk.

        Raises:
            JobNotFoundError: they come after a job that does not exist.
            QueueRefusedError: other clients keep changing the sweep.
        """
        noted = {**options.as_fields(), "varying": json.dumps(self._checked.varying)}
        name, at, array = self._checked.name, self._checked.at, self._checked.array
        opened = open_sweep(self._store, name, noted, at, array, is_new=options.is_new)
        standings, free = self._look(opened.number, self._checked.members)
        made = self._make(opened, options, standings, free)
        return self._report(opened, options, standings)._replace(ids=tuple(made))

    def look(self, options: SweepOptions) -> SweepReport:
        """Return what `submit` would do; change nothing."""
        opened = find_sweep(self._store, self._checked.name)
        if opened is None or options.is_new:
            opened = Opened(0, "")
        standings, _ = self._look(opened.number, self._checked.members)
        if self._checked.array and all(one.word == NEW for one in standings):
            opened = Opened(0, "")  # it would be another array of that name
        held = bool(opened.held)
        runs = sum(one.is_run(options.again, was_held=held) for one in standings)
        return self._report(opened, options, standings)._replace(would_make=runs)

    def _report(
        self, opened: Opened, options: SweepOptions, standings: Sequence[Standing]
    ) -> SweepReport:
        others = self._left_with_other_code(standings, options)
        return SweepReport(
            opened.number,
            self._checked.name,
            Counter(one.word for one in standings),
            (),
            len(others),
            changed_files(self._layout, self._packs, self._distinct(others)),
            opened.held,
        )

    def _left_with_other_code(
        self, standings: Sequence[Standing], options: SweepOptions
    ) -> list[Standing]:
        if options.again:
            return []
        return [one for one in standings if one.word == DONE and one.other_code]

    def _distinct(self, standings: Iterable[Standing]) -> list[Packs]:
        found = dict.fromkeys(self._theirs.get(one.seen.spec) for one in standings)
        return [packs for packs in found if packs]

    def _make(
        self,
        opened: Opened,
        options: SweepOptions,
        standings: Sequence[Standing],
        free: int,
    ) -> list[str]:
        signer = MemberSigner(opened.number, self._checked.name, self._key)
        left = list(zip(self._checked.members, standings, strict=True))
        was_held, done, tries = bool(opened.held), list[str](), 0

        def wanted() -> list[tuple[CheckedMember, Standing]]:
            return [one for one in left if one[1].is_run(options.again, was_held=was_held)]

        left = wanted()
        of = len(left)
        while left:
            batch = left[:MADE]
            indices, then_free = _indices(batch, free)
            jobs = signer.sign([one for one, _ in batch], indices)
            made = [
                Made(job, one.member.key, standing.seen)
                for job, (one, standing) in zip(jobs, batch, strict=True)
            ]
            now_free = submit_members(self._store, opened.number, free, made, self._checked.at)
            if now_free is None:
                left, free = left[MADE:], then_free
                done += [job.spec.id for job in jobs]
                self._progress(len(done), of)
                continue
            tries += 1
            if tries > _TRIES:
                raise QueueRefusedError(
                    f"sweep {opened.number} could not be enqueued whole",
                    why=f"others change it all the time; {len(done)} members were made",
                    fix="enqueue it again: what is there is not made twice",
                )
            members = [one for one, _ in left]
            anew, free = self._look(opened.number, members)
            left = list(zip(members, anew, strict=True))
            left = wanted()
        return done

    def _look(self, number: int, members: Sequence[CheckedMember]) -> tuple[list[Standing], int]:
        seen, free = look_members(self._store, number, [one.member.key for one in members])
        self._learn(seen)
        return [Standing(one, self._has_other_code(one.spec)) for one in seen], free

    def _learn(self, seen: Sequence[Seen]) -> None:
        """Learn which packs these jobs have; jobs of one template have the same packs."""
        specs = {one.spec for one in seen if one.spec} - set(self._theirs)
        found = shared_fields(self._store.client, [one for one in specs if not one.startswith("{")])
        for one in specs:
            fields = dict_or_empty(one) if one.startswith("{") else found.get(one)
            self._theirs[one] = None if fields is None else _packs_in(fields)

    def _has_other_code(self, spec: str) -> bool:
        theirs = self._theirs.get(spec)
        return theirs is not None and theirs != self._packs


def _indices(batch: Sequence[tuple[CheckedMember, Standing]], free: int) -> tuple[list[int], int]:
    """Return the indices of new jobs, and the next free one after them.

    The first job of an array's task has the task's number.
    """
    found = []
    for one, standing in batch:
        task = one.member.task
        if task is not None and standing.seen.job_index < 0:
            found.append(task)
        else:
            found.append(free)
            free += 1
    return found, free


def packs_of(code: Code | None) -> Packs:
    """Return the packs of a job's code."""
    return () if code is None else (code.pack, *(one.pack for one in code.also))


def _packs_in(fields: Mapping[str, object]) -> Packs:
    code = fields.get("code")
    if not isinstance(code, dict):
        return ()
    also = code.get("also")
    packs = [code, *(also if isinstance(also, list) else ())]
    return tuple(str(one.get("pack", "")) for one in packs if isinstance(one, dict))
