"""What became of the members of a search, as a sampler has to know it: pure.

A member that finished has a value; one that was pruned was worse than others at some step; one
that failed, was canceled by its user or measured no number has none, and teaches nothing. An
attempt that was lost with its machine is not the end of a member: it waits or runs again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

from mlq.jobs.lifecycle import ENDED, State
from mlq.metrics.extent import Extent
from mlq.search.goal import Goal
from mlq.search.note import PRUNED


class Outcome(StrEnum):
    """How a trial stands."""

    RUNNING = "running"
    COMPLETE = "finished"
    PRUNED = "pruned"
    FAIL = "failed"


class Member(NamedTuple):
    """A member of a sweep, as the queue has it.

    Args:
        id: of its job.
        number: its index in the sweep, which is the number of its trial.
        state: of its job.
        reason: of that state.
        stopping: why it is being stopped; "" if it is not.
        held: why it is held; "" if it is not.
        attempt: how many attempts it has begun.
        params: its parameters.
        drawn: what the search drew for it, if that is not what `params` says.
        key: by which the sweep knows it.
        metrics: what it has measured.
        ended_s: when it ended, unix time; None if it has not.
    """

    id: str
    number: int
    state: str
    reason: str = ""
    stopping: str = ""
    held: str = ""
    attempt: int = 0
    params: Mapping[str, str] = {}
    drawn: Mapping[str, str] = {}
    key: str = ""
    metrics: Mapping[str, Extent] = {}
    ended_s: float | None = None

    @property
    def has_ended(self) -> bool:
        """Whether it has ended."""
        return self.state in ENDED


class Trial(NamedTuple):
    """A member, as a sampler sees it.

    Args:
        number: its index in the sweep.
        params: its parameters.
        drawn: what the search drew for it, if that is not what `params` says.
        outcome: how it stands.
        value: what it achieved; None unless it is complete.
        step, at_step: the last step at which it measured, and what; None if unknown.
    """

    number: int
    params: Mapping[str, str]
    drawn: Mapping[str, str]
    outcome: Outcome
    value: float | None = None
    step: float | None = None
    at_step: float | None = None


def trials_of(members: Iterable[Member], goal: Goal) -> list[Trial]:
    """Return the trials of a search, in the order of their numbers."""
    return [_trial(one, goal) for one in sorted(members, key=lambda one: one.number)]


def _trial(member: Member, goal: Goal) -> Trial:
    value = goal.value(member.metrics)
    outcome = outcome_of(member, value)
    extent = member.metrics.get(goal.metric)
    has_step = extent is not None and not math.isnan(extent.last)
    return Trial(
        member.number,
        member.params,
        member.drawn,
        outcome,
        value if outcome is Outcome.COMPLETE else None,
        extent.last_step if extent and has_step else None,
        extent.last if extent and has_step else None,
    )


def outcome_of(member: Member, value: float | None) -> Outcome:
    """Return how a member stands whose objective has this value; None if it did not report it."""
    if not member.has_ended:
        return Outcome.RUNNING
    if member.state == State.CANCELED and member.reason.startswith(PRUNED):
        return Outcome.PRUNED
    if member.state != State.FINISHED or value is None or math.isnan(value):
        return Outcome.FAIL
    return Outcome.COMPLETE
