"""Job ids that people can type: `1042`, and `1042_7` for a member of sweep 1042.

Numbers are given out in order of submission and never twice, so the order of ids is the order of
submission. Jobs enqueued with plain rq bring ids of their own (UUIDs); they are accepted wherever
an id is, if they keep to rq's charset, which is also what makes an id safe as a file name.
"""

from __future__ import annotations

import re
import sys
from typing import Literal, NamedTuple

from mlq.errors import InvalidInputError

LARGEST_RANGE = 100_000
LARGEST_NUMBER = 10**12 - 1
"""The largest job number; the Lua operations of the queue know it, too."""

_JOB_ID = re.compile(r"([1-9]\d{0,14})(?:_(0|[1-9]\d{0,8}))?", re.ASCII)
_NUMBER = re.compile(rf"[1-9]\d{{0,{len(str(LARGEST_NUMBER)) - 1}}}", re.ASCII)
_LISTED = re.compile(r"([1-9]\d{0,14})_\[([0-9,:-]+)(?:%\d+)?\]", re.ASCII)
_TASKS = re.compile(r"(\d{1,9})(?:-(\d{1,9})(?::(\d{1,9}))?)?", re.ASCII)
_RANGE = re.compile(r"([1-9]\d{0,14}_)?(\d{1,15})-(?:\1)?(\d{1,15})", re.ASCII)
# The charset of rq 2.12 (`rq.utils.validate_job_id`).
_RQ_ID = re.compile(r"[A-Za-z0-9_-]{1,200}")


class Selection(NamedTuple):
    """What a typed argument may mean: the jobs of `ids` that exist, else those called `name`.

    Args:
        kind: `id` (one of our ids), `range` (two of them and all between) or `name` (anything
            else; if its characters allow it, it may be an id given by plain rq, so it is in `ids`).
        ids: exact ids, in order.
        name: a job name, "" if it cannot be one.
    """

    kind: Literal["id", "range", "name"]
    ids: tuple[str, ...]
    name: str


def is_job_id(text: str) -> bool:
    """Return whether this is an id of ours: a number, or that of a sweep and its member."""
    return _JOB_ID.fullmatch(text) is not None


def is_number(text: str) -> bool:
    """Return whether this is a number that a job can have been given."""
    return _NUMBER.fullmatch(text) is not None


def sweep_number(job_id: str) -> int:
    """Return the number of the sweep whose member this is; 0 if it is none."""
    match = _JOB_ID.fullmatch(job_id)
    return int(match[1]) if match and match[2] is not None else 0


def is_valid_id(text: str) -> bool:
    """Return whether this can be the id of any job, also of one enqueued with plain rq."""
    return _RQ_ID.fullmatch(text) is not None


def order_key(job_id: str) -> tuple[int, int]:
    """Return a sort key: order of submission; ids that are not ours come last."""
    match = _JOB_ID.fullmatch(job_id)
    if not match:
        return (sys.maxsize, 0)
    return (int(match[1]), -1 if match[2] is None else int(match[2]))


def place_in_line(job_id: str, given: str = "") -> float:
    """Return the order of submission as the queue's operations count it: 1042.000007 of `1042_7`.

    Args:
        job_id: the job.
        given: the place that a job of plain rq was given when it was first seen; without one it
            comes last.
    """
    match = _JOB_ID.fullmatch(job_id)
    if match:
        return int(match[1]) + int(match[2] or 0) / 1e6
    try:
        return float(given or "inf")
    except ValueError:
        return 0.0


def _listed(typed: str, sweep: str, tasks: str) -> tuple[str, ...]:
    """Return the members that are listed in brackets."""
    found: dict[str, None] = {}
    for part in tasks.split(","):
        match = _TASKS.fullmatch(part)
        step = int(match[3] or 1) if match else 0
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not step or not first <= last < first + LARGEST_RANGE * step:
            raise InvalidInputError(
                f"{typed} names no members",
                why=f"{part or 'nothing'} is no number and no range of them",
                fix=f"write {sweep}_[1-3,7]",
            )
        found.update(dict.fromkeys(f"{sweep}_{one}" for one in range(first, last + 1, step)))
    return tuple(found)


def expand(selection: str) -> Selection:
    """Return what a typed argument may mean.

    That is `1042`, `1042_7`, `1040-1050`, `1042_0-7`, `1042_[1-3,7]` (as `squeue` prints the tasks
    of an array that wait) or a name.

    Raises:
        InvalidInputError: it is empty, or a range that runs backwards or is absurdly long.
    """
    typed = selection.strip()
    if not typed:
        raise InvalidInputError("an empty job id", fix="`mlq ls -a` lists all jobs")
    if is_job_id(typed):
        return Selection("id", (typed,), typed)
    listed = _LISTED.fullmatch(typed)
    if listed:
        return Selection("range", _listed(typed, *listed.groups()), "")
    match = _RANGE.fullmatch(typed)
    if match:
        sweep, first, last = match[1] or "", int(match[2]), int(match[3])
        if first > last:
            raise InvalidInputError(
                f"the range {typed} runs backwards", fix=f"write {sweep}{last}-{first}"
            )
        if last - first >= LARGEST_RANGE:
            raise InvalidInputError(
                f"the range {typed} is too long", why=f"at most {LARGEST_RANGE} jobs at a time"
            )
        return Selection("range", tuple(f"{sweep}{one}" for one in range(first, last + 1)), "")
    return Selection("name", (typed,) if is_valid_id(typed) else (), typed)
