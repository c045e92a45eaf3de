"""Makes signed jobs of the members of a sweep; the text of what they share is made only once.

They share everything but command and parameters, so fifty thousand members take seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from mlq.jobs.lifecycle import BY_HAND
from mlq.jobs.signing import sign
from mlq.jobs.spec import JobSpec, Member
from mlq.scripts.number_mark import numbered
from mlq.store.record import SignedJob
from mlq.store.templates import Template, member_text, template_of
from mlq.submit.batch import Checked
from mlq.submit.submission import Submission
from mlq.submit.typed import check_texts
from mlq.sweeps.plan import PlannedMember, SweepPlan


class CheckedMember(NamedTuple):
    """A member that can be enqueued, its submission, and a checked job like it."""

    member: PlannedMember
    checked: Checked


def submissions_of(plan: SweepPlan, submission: Submission) -> list[Submission]:
    """Return the submissions of all members of a sweep, in their order.

    Args:
        plan: the sweep.
        submission: what its members have in common.

    Raises:
        InvalidInputError: its name or a parameter could not be passed to a process.
    """
    check_texts(plan.name)
    for member in plan.members:
        check_texts(member.key, *member.params, *member.params.values())
    named = replace(submission, name=plan.name)
    return [named.with_argv(tuple(member.argv)) for member in plan.members]


class MemberSigner:
    """Signs members of one sweep.

    Args:
        number: of the sweep.
        name: of the sweep.
        key: the signing key.
    """

    def __init__(self, number: int, name: str, key: bytes) -> None:
        self._number, self._name, self._key = number, name, key
        # The job is kept beside its template, so that its id() cannot be used for another object.
        self._templates: dict[int, tuple[JobSpec, Template | None]] = {}

    def sign(self, members: Sequence[CheckedMember], indices: Sequence[int]) -> list[SignedJob]:
        """Return members as signed jobs under these indices."""
        return [self._signed(*one) for one in zip(members, indices, strict=True)]

    def _signed(self, checked: CheckedMember, index: int) -> SignedJob:
        member, (submission, like) = checked
        params, drawn = dict(member.params), dict(member.drawn)
        of = Member(name=self._name, key=member.key, params=params, drawn=drawn)
        job_id = f"{self._number}_{index}"
        spec = object.__new__(JobSpec)  # as `Submission.with_argv`
        spec.__dict__.update(like.__dict__, id=job_id, argv=submission.argv, member=of)
        spec = numbered(spec, self._number)
        if id(like) not in self._templates:
            self._templates[id(like)] = like, template_of(spec.canonical())
        _, template = self._templates[id(like)]
        of_member = member_text(self._name, member.key, params, drawn)
        if template is None:
            text = spec.canonical()
        else:
            text = template.text(spec.argv, spec.id, spec.submitted_at, of_member)
        delay_s = submission.delay_s(spec.submitted_at)
        signature = sign(self._key, text.encode())
        held = BY_HAND if submission.hold else ""
        return SignedJob(spec, text, signature, template, of_member, delay_s, held)
