"""The numbers by which Slurm's tools know mlq's jobs.

`SLURM_JOB_ID` must be a number, also in a member of an array, where mlq's id is `1042_7`: programs
give it to `scontrol requeue`, convert it, and put it into names. Slurm numbers each element anew;
here the number says which member is meant, so nobody has to look it up. Invariant: no two jobs have
the same number, and each number leads back to its job.
"""

from __future__ import annotations

import re

_MEMBERS = 10**9
"""A number below it is a job of its own; else it holds two numbers of nine digits."""
_NO_MEMBER = _MEMBERS - 1  # after the number of a job that is itself too large
_ID = re.compile(r"([1-9]\d{0,14})(?:_(0|[1-9]\d{0,8}))?", re.ASCII)
_STEP = re.compile(r"\.(?:\d+|batch|extern|interactive)(?:\+\d+)?$", re.ASCII)


def slurm_number(job_id: str) -> str:
    """Return a job's number: 1042 for `1042`, 1042000000007 for `1042_7`.

    An id that is none of ours (a job of plain rq) stays as it is.
    """
    match = _ID.fullmatch(job_id)
    if match is None:
        return job_id
    number, member = int(match[1]), match[2]
    if member is None:
        return job_id if number < _MEMBERS else str(number * _MEMBERS + _NO_MEMBER)
    return str(number * _MEMBERS + int(member))


def job_id_of(text: str) -> str:
    """Return the id of the job that a number, or an id as Slurm writes it, means.

    The step in `1042.0` and `1042_7.batch` is dropped. What is no number stays as it is.
    """
    typed = _STEP.sub("", text.strip())
    if not re.fullmatch(r"[1-9]\d{9,23}", typed, re.ASCII):
        return typed
    number, member = divmod(int(typed), _MEMBERS)
    return str(number) if member == _NO_MEMBER else f"{number}_{member}"


def array_number(job_id: str) -> str:
    """Return the number of the array that a job is a member of; "" if it is none."""
    match = _ID.fullmatch(job_id)
    return match[1] if match and match[2] is not None else ""
