"""What a worker of a jug run does next, from how far the program is and whose locks are in the way.

Invariants: a worker says that the program is done only if jug's own check says so; it never waits
for what cannot come; and while it only waits for others it holds no cores for long.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from mlq.jug.locks import Lock, Verdict

_MOST_NAMED = 3


class Survey(NamedTuple):
    """How far a program is; what counts a task says jug, as in `jug status`.

    `barrier`: not all of its tasks are known yet.
    """

    complete: bool
    finished: int = 0
    ready: int = 0
    running: int = 0
    failed: int = 0
    waiting: int = 0
    barrier: bool = False

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Survey:
        """Return what `in_its_python` answered."""
        return cls(**{name: raw[name] for name in cls._fields if name in raw})

    @property
    def known(self) -> int:
        """How many tasks are known."""
        return self.finished + self.ready + self.running + self.failed + self.waiting


class Next(NamedTuple):
    """What to do: `execute` tasks, `return_later`, or end: `finish`, `fail`; and why."""

    do: Literal["execute", "return_later", "finish", "fail"]
    why: str = ""


def decide(
    now: Survey, locks: Sequence[tuple[Lock, Verdict]], before: Survey | None = None
) -> Next:
    """Return what to do next.

    Args:
        now: how far the program is.
        locks: the locks that are left, and whose they are.
        before: how far it was before this process last let jug execute tasks; None if it did not
            yet.
    """
    if now.complete:
        return Next("finish")
    if now.ready and (before is None or _has_moved(before, now)):
        return Next("execute")
    if any(verdict == "live" for _, verdict in locks):
        return Next("return_later", "others are at the rest")
    foreign = [
        str(one.owner) if one.owner else one.name for one, what in locks if what == "foreign"
    ]
    if foreign and now.running:
        return Next("fail", f"{_tasks(now.running)} locked by {_named(foreign)}, not of this queue")
    if now.running:
        # Whoever had its lock has released it since the tasks were counted.
        return Next("return_later", "others were at the rest a moment ago")
    return Next("fail", _left(now))


def _has_moved(before: Survey, now: Survey) -> bool:
    """Return whether jug did anything; otherwise it would be asked for the same for ever."""
    return now._replace(running=0) != before._replace(running=0)


def _left(now: Survey) -> str:
    if not now.failed:
        why = f"{_tasks(now.ready)} ready" if now.ready else f"{_tasks(now.waiting)} waiting"
        return f"the program is not complete: {why}, but jug runs none"
    waits = f", {now.waiting} wait for them" if now.waiting else ""
    return f"{now.failed} of {_tasks(now.known)} failed{waits}"


def _tasks(number: int) -> str:
    return f"{number} task{'' if number == 1 else 's'}"


def _named(owners: Sequence[str]) -> str:
    first = sorted(set(owners))
    more = f" and {len(first) - _MOST_NAMED} more" if len(first) > _MOST_NAMED else ""
    return ", ".join(first[:_MOST_NAMED]) + more
