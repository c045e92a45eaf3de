"""Whose lock it is, and whether it may be removed.

jug's lock of a task is a file that names a process and a host. When a machine dies, or memory runs
out, it stays, and no jug ever runs that task again. mlq knows which processes its attempts were,
and the queue knows which attempts are over. Invariant: a lock is removed only if its process is
known to be one of ours that has ended; nobody else's is ever touched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

FORMAT = "%Y-%m-%d (%Hh%M.%S)"
"""How jug writes the time in a lock, in local time of its host."""

_OWNER = re.compile(r"PID (\d{1,10}) on HOSTNAME (\S{1,255})\n(?:Lock created on ([^\n]*)\n?)?")
_SLACK = timedelta(seconds=2)  # a note is written a moment before the first lock

Verdict = Literal["live", "stale", "failed", "foreign"]
"""`live`: an attempt that is not over holds it. `stale`: it can go. `failed`: jug keeps it, so that
this run does not try the task again. `foreign`: it belongs to nobody we know."""


class Owner(NamedTuple):
    """The process that a lock names; `created` is in local time of its host, "" if unknown."""

    host: str
    pid: int
    created: str = ""

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


class Note(NamedTuple):
    """A process that an attempt was.

    Args:
        job_id, attempt: the attempt.
        run: which call of `mlq jug` made the job.
        host, pid: the process.
        started: when it began, as jug writes times.
    """

    job_id: str
    attempt: int
    run: str
    host: str
    pid: int
    started: str

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Note | None:
        """Return the note that a process wrote; None if this is none."""
        found = [raw.get(name) for name in cls._fields]
        whole = {"attempt", "pid"}
        for name, value in zip(cls._fields, found, strict=True):
            if not isinstance(value, int if name in whole else str) or isinstance(value, bool):
                return None
        return cls(*found)  # type: ignore[arg-type]


class Lock(NamedTuple):
    """A lock as it lies there; `owner` is None if it names no process.

    `has_failed`: jug keeps it because its task failed.
    """

    name: str
    owner: Owner | None
    has_failed: bool


def owner_of(text: str) -> Owner | None:
    """Return the process that the text of a lock names; None if it names none."""
    match = _OWNER.match(text)
    return Owner(match[2], int(match[1]), match[3] or "") if match else None


def judge(
    lock: Lock, notes: Iterable[Note], is_over: Callable[[Note], bool], job: tuple[str, int, str]
) -> Verdict:
    """Return whose lock it is.

    A host and a process number may return after a reboot: the newest process that had begun when
    the lock was made is the one.

    Args:
        lock: the lock.
        notes: all processes that attempts were.
        is_over: whether the process of a note has ended for certain.
        job: id, attempt and run of the job that asks.
    """
    if lock.owner is None:
        return "foreign"
    owners = [one for one in notes if _is_of(one, lock.owner)]
    if not owners:
        return "foreign"
    owner = max(owners, key=lambda one: one.started)
    if not is_over(owner):
        return "live"
    if not lock.has_failed:
        return "stale"
    job_id, attempt, run = job
    is_new_try = owner.run != run or (owner.job_id == job_id and owner.attempt < attempt)
    return "stale" if is_new_try else "failed"


def _is_of(note: Note, owner: Owner) -> bool:
    if (note.host, note.pid) != (owner.host, owner.pid):
        return False
    began, made = _time(note.started), _time(owner.created)
    return began is None or made is None or began <= made + _SLACK


def _time(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, FORMAT)
    except ValueError:
        return None
