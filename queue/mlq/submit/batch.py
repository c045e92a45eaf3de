"""Many submissions at once: checked, numbered and signed.

Checking is the expensive part of enqueueing a job. Jobs that differ only in their command are
checked once, which makes enqueueing ten thousand of them a matter of a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mlq.errors import InvalidInputError
from mlq.jobs.lifecycle import BY_HAND
from mlq.jobs.signing import sign
from mlq.jobs.spec import JobSpec
from mlq.scripts.number_mark import numbered
from mlq.store.record import SignedJob
from mlq.store.templates import template_of
from mlq.submit.submission import Caller, Submission

Checked = tuple[Submission, JobSpec]
"""A submission, and a checked job that equals it except for its id and argv."""


def check_all(
    submissions: Sequence[Submission],
    at: str,
    default_mem_mib: int,
    caller: Caller | None = None,
    *,
    typed: bool = False,
) -> list[Checked]:
    """Check submissions.

    Args:
        submissions: what is asked for.
        at: the time of submission, ISO.
        default_mem_mib: the setting of that name.
        caller: who asks.
        typed: whether a parser that lets no wrong type through made them. Otherwise each type is
            checked, for which pydantic is imported.

    Raises:
        InvalidInputError: like `Submission.spec`; or a value is of the wrong type.
    """
    checked: list[Checked] = []
    like: dict[str, object] = {}
    templates: dict[str, JobSpec] = {}
    for submission in submissions:
        options = {**vars(submission), "argv": ()}
        if options != like:
            like, templates = options, {}
        submission.check_command()
        # Another program name has to be looked up separately; a path needs no look-up.
        name = next((word for word in submission.argv[:1] if "/" not in word), "")
        if name not in templates:
            spec = submission.spec("0", at, default_mem_mib, caller)
            templates[name] = spec if typed else _of_right_types(spec)
        # Only id and argv differ from a job that was checked already.
        checked.append((submission, templates[name]))
    return checked


def _of_right_types(spec: JobSpec) -> JobSpec:
    from mlq.jobs.strict_spec import NotStrictError, check_spec

    try:
        return check_spec(spec)
    except NotStrictError as error:
        raise InvalidInputError(f"{error.where} cannot be used", why=error.why) from None


def sign_all(checked: Sequence[Checked], first: int, key: bytes) -> list[SignedJob]:
    """Number checked submissions from `first` on and sign them."""
    signed: list[SignedJob] = []
    last: JobSpec | None = None
    for number, (submission, like) in enumerate(checked, first):
        spec = numbered(replace(like, id=str(number), argv=submission.argv), number)
        if like is not last or spec.env != like.env:
            last, template = like, template_of(spec.canonical())
        # Only id and command differ from a job whose text was made already.
        text = (
            spec.canonical()
            if template is None
            else template.text(spec.argv, spec.id, spec.submitted_at)
        )
        delay_s = submission.delay_s(spec.submitted_at)
        signature = sign(key, text.encode())
        held = BY_HAND if submission.hold else ""
        signed.append(SignedJob(spec, text, signature, template, delay_s=delay_s, held=held))
    return signed
