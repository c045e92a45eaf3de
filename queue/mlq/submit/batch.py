"""Many submissions at once: checked, numbered and signed.

Validation is the expensive part of enqueueing a job. Jobs that differ only in their command are
validated once, which makes enqueueing ten thousand of them a matter of a second.
"""

from __future__ import annotations

from collections.abc import Sequence

from mlq.jobs.signing import sign
from mlq.jobs.spec import JobSpec
from mlq.store.record import SignedJob
from mlq.store.templates import template_of
from mlq.submit.submission import Caller, Submission

Checked = tuple[Submission, JobSpec]
"""A submission, and a validated job that is like it but for its id and argv."""


def check_all(
    submissions: Sequence[Submission], at: str, default_mem_mib: int, caller: Caller | None = None
) -> list[Checked]:
    """Validate submissions; raises InvalidInputError like `Submission.spec`."""
    checked: list[Checked] = []
    like: dict[str, object] = {}
    templates: dict[str, JobSpec] = {}
    for submission in submissions:
        options = {**vars(submission), "argv": ()}
        if options != like:
            like, templates = options, {}
        submission.check_command()
        # Another name of a program is another program to find; a path is one already.
        name = next((word for word in submission.argv[:1] if "/" not in word), "")
        if name not in templates:
            templates[name] = submission.spec("0", at, default_mem_mib, caller)
        # Only id and argv differ from a job that was validated.
        checked.append((submission, templates[name]))
    return checked


def sign_all(checked: Sequence[Checked], first: int, key: bytes) -> list[SignedJob]:
    """Number checked submissions from `first` on and sign them."""
    signed: list[SignedJob] = []
    last: JobSpec | None = None
    for number, (submission, like) in enumerate(checked, first):
        spec = like.model_copy(update={"id": str(number), "argv": submission.argv})
        if like is not last:
            last, template = like, template_of(spec.canonical())
        # Only id and command differ from a job of which the text was made.
        text = (
            spec.canonical()
            if template is None
            else template.text(spec.argv, spec.id, spec.submitted_at)
        )
        signed.append(SignedJob(spec, text, sign(key, text.encode()), template))
    return signed
