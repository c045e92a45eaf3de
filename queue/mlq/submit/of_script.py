"""Makes submissions of a job file that was read (`mlq.scripts`).

Such a job runs in the live folder, as in the system that it was written for: its script is copied
when it is submitted, and nothing else is. `in_place=False` takes a copy of the project as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from mlq.errors import InvalidInputError
from mlq.jobs.parents import Condition
from mlq.scripts.script_job import Element, ScriptJob
from mlq.submit.submission import Submission
from mlq.sweeps import array as arrays
from mlq.sweeps.plan import PlannedMember, SweepPlan
from mlq.sweeps.planning import WITHOUT_YES

_TYPED: dict[Condition, str] = {"finished": "ok", "ended": "any", "failed": "failed"}


class ManyJobs(NamedTuple):
    """The jobs of an array, or those that a file describes one by one.

    Args:
        plan: the members.
        submissions: one for each member, in the same order.
        max_running: how many may run at once; 0 for any number.
    """

    plan: SweepPlan
    submissions: Sequence[Submission]
    max_running: int


def submission_of(job: ScriptJob, environ: Mapping[str, str]) -> Submission:
    """Return the submission of a job file: what all its jobs have in common.

    Args:
        job: the file.
        environ: the submitter's variables.
    """
    passed = {name: environ[name] for name in job.passes_on or () if name in environ}
    return Submission(
        argv=job.argv,
        name=job.name,
        cores=job.cores,
        mem=job.mem_mib,
        gpus=job.gpus,
        vram=job.vram_mib or None,
        gpu_type=job.gpu_type,
        time=job.time_limit_s,
        priority=job.priority,
        after=tuple(f"{_TYPED[one.condition]}:{one.id}" for one in job.parents),
        retries=job.retries,
        grace=None if job.grace_s is None else f"{job.grace_s:.15g}",
        signal=job.signal,
        machine=",".join([*job.machines, *(f"!{one}" for one in job.excluded)]),
        env={**passed, **job.env},
        capture_env=None if job.passes_on is None else False,
        cwd=job.cwd,
        in_place=True,
        start=job.start,
        singleton=job.is_singleton,
        hold=job.is_held,
        requeue=job.is_requeued,
        script=job.script,
        streams=job.streams,
        batch=job.batch,
        comment=job.comment,
    )


def many_jobs(job: ScriptJob, submission: Submission, *, yes: bool) -> ManyJobs | None:
    """Return the jobs of a file that describes more than one; None if it describes one.

    Args:
        job: the file.
        submission: of `submission_of`, with what its user typed.
        yes: whether there may be more than `WITHOUT_YES`.

    Raises:
        InvalidInputError: there are too many, or a number is too large.
    """
    if job.array:
        numbers, at_once = arrays.parse(job.array)
        _check_size(len(numbers), yes)
        members = [
            PlannedMember({"array": one}, submission.argv, one, task=int(one)) for one in numbers
        ]
        plan = SweepPlan(submission.name, tuple(members), ("array",) * (len(numbers) > 1))
        return ManyJobs(plan, [submission] * len(members), at_once or 0)
    if not job.elements:
        return None
    _check_size(len(job.elements), yes)
    each = [_of_element(submission, one) for one in job.elements]
    members = [
        PlannedMember({"process": str(at)}, one.argv, str(at)) for at, one in enumerate(each)
    ]
    plan = SweepPlan(submission.name, tuple(members), ("process",) * (len(each) > 1))
    return ManyJobs(plan, each, job.max_running or 0)


def only_element(job: ScriptJob, submission: Submission) -> Submission:
    """Return the submission of a file that describes one job."""
    return _of_element(submission, job.elements[0]) if job.elements else submission


def _of_element(submission: Submission, element: Element) -> Submission:
    return replace(
        submission,
        argv=element.argv,
        env={**submission.env, **element.env},
        streams=element.streams,
        cwd=element.cwd,
    )


def _check_size(size: int, yes: bool) -> None:
    if size > WITHOUT_YES and not yes:
        raise InvalidInputError(
            f"the file describes {size:,} jobs",
            why=f"more than {WITHOUT_YES:,} may be a slip",
            fix="look at them with --dry-run, or take all with --yes",
        )
