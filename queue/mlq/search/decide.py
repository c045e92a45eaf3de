"""What a search does next: which members it stops, how many it starts, whether it has ended. Pure.

A new member starts whenever one ends, so that no machine waits for the slowest of a batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mlq.errors import MlqError
from mlq.jobs.lifecycle import State
from mlq.search.goal import Goal
from mlq.search.history import Member, Outcome, Trial, trials_of
from mlq.search.pruning import Run, pruned

SETTLE_S = 5.0
"""For so long after a member's end its last metrics may still be on their way to the queue."""

MAX_RUNNING = 4
"""How many members a search keeps unended, unless its user says otherwise."""


class SearchError(MlqError):
    """A search cannot go on."""


class Seen(NamedTuple):
    """A sweep, as the queue has it.

    Args:
        members: those that the queue lists, in the order of their indices.
        there: how many members there are, with those that it lists no more.
        free: the next free index.
        held: why it is held; "" if it is not.
        failing: whether that is because its first members failed.
        keys: by which it knows its members, also those that the queue lists no more.
    """

    members: tuple[Member, ...]
    there: int
    free: int
    held: str = ""
    failing: bool = False
    keys: frozenset[str] = frozenset()


class Aim(NamedTuple):
    """What a search is to do.

    Args:
        goal: what it makes small or large.
        trials: how many members it makes.
        max_running: how many of them are unended at once.
        pruner: one of `pruning.PRUNERS`; "" for none.
    """

    goal: Goal
    trials: int
    max_running: int = MAX_RUNNING
    pruner: str = ""


class Decision(NamedTuple):
    """What to do.

    Args:
        stop: running members that are to be stopped, each with the reason.
        start: how many members may be started.
        done: whether the search has ended.
        trials: the members, as a sampler sees them.
    """

    stop: dict[str, str]
    start: int
    done: bool
    trials: tuple[Trial, ...]


def decide(seen: Seen, aim: Aim, now_s: float, curves: Mapping[int, Run] | None = None) -> Decision:
    """Return what to do next.

    Args:
        seen: the sweep.
        aim: what the search is to do.
        now_s: unix time.
        curves: index -> what the member measured, if members are pruned.

    Raises:
        SearchError: the members do not report the objective, or they all fail.
    """
    members = settled(seen.members, aim.goal, now_s)
    _check(seen, members, aim.goal)
    trials = tuple(trials_of(members, aim.goal))
    unended = [one for one in members if not one.has_ended]
    worse = pruned(aim.pruner, _runs(trials, curves or {}), aim.goal)
    stop = {
        one.id: worse[one.number]
        for one in unended
        if one.number in worse and one.state == State.STARTED and not one.stopping
    }
    start = 0 if seen.held else min(aim.trials - seen.there, aim.max_running - len(unended))
    return Decision(stop, max(0, start), seen.there >= aim.trials and not unended, trials)


def settled(members: Sequence[Member], goal: Goal, now_s: float) -> list[Member]:
    """Return the members; those that have just finished without the objective count as running."""
    return [
        one._replace(state=State.STARTED, stopping="it has ended")
        if _may_come(one, goal, now_s)
        else one
        for one in members
    ]


def _may_come(member: Member, goal: Goal, now_s: float) -> bool:
    if member.state != State.FINISHED or goal.metric in member.metrics:
        return False
    return member.ended_s is not None and now_s - member.ended_s < SETTLE_S


def _check(seen: Seen, members: Sequence[Member], goal: Goal) -> None:
    if seen.held and seen.failing:
        raise SearchError(
            "the search ends: its members fail",
            why=seen.held,
            fix="mend it, and type the same again",
        )
    if any(goal.metric in one.metrics for one in members):
        return
    for one in members:
        if one.state == State.FINISHED:
            reported = ", ".join(one.metrics) or "no metric at all"
            raise SearchError(
                f"--{goal.text}: member {one.id} finished and reported {reported}",
                why="so nothing can be learned from it, nor from the others",
                fix="name one that it reports, and type the same again: what is done counts"
                if one.metrics
                else f"let it report {goal.metric}: mlq.report(..., {goal.metric}=...), or a log"
                " line that --metric finds",
            )


def _runs(trials: Sequence[Trial], curves: Mapping[int, Run]) -> list[Run]:
    return [
        curves[one.number]._replace(outcome=one.outcome) for one in trials if one.number in curves
    ]


class Best(NamedTuple):
    """The best member so far."""

    number: int
    value: float
    params: Mapping[str, str]


class Standing(NamedTuple):
    """How far a search is.

    Args:
        of: how many members it makes.
        there: how many there are.
        outcomes: how many of them stand how.
        waiting: how many of the running ones only wait.
        best: the best member so far.
        held: why nothing of it starts; "" if it does.
    """

    of: int
    there: int
    outcomes: Mapping[Outcome, int]
    waiting: int
    best: Best | None
    held: str = ""

    @property
    def ended(self) -> int:
        """How many members have ended."""
        return self.there - self.outcomes[Outcome.RUNNING]


def standing(seen: Seen, decision: Decision, aim: Aim) -> Standing:
    """Return how far a search is."""
    outcomes = dict.fromkeys(Outcome, 0)
    for trial in decision.trials:
        outcomes[trial.outcome] += 1
    unended = [one for one in seen.members if not one.has_ended]
    waiting = [one for one in unended if one.state != State.STARTED]
    held = seen.held
    if unended and all(one.held for one in unended):
        held = unended[0].held
    return Standing(
        aim.trials, seen.there, outcomes, len(waiting), best_of(decision.trials, aim.goal), held
    )


def best_of(trials: Sequence[Trial], goal: Goal) -> Best | None:
    """Return the best member; the first of equals; None if none has a value."""
    best: Best | None = None
    for one in trials:
        if one.value is not None and (best is None or goal.is_better(one.value, best.value)):
            best = Best(one.number, one.value, one.params)
    return best


def progress_line(number: int, name: str, now: Standing, goal: Goal) -> str:
    """Return how far a search is, in one line."""
    running = now.outcomes[Outcome.RUNNING] - now.waiting
    parts = {
        "finished": now.outcomes[Outcome.COMPLETE],
        "running": running,
        "waiting": now.waiting,
        "pruned": now.outcomes[Outcome.PRUNED],
        "failed": now.outcomes[Outcome.FAIL],
    }
    said = ", ".join(f"{count} {word}" for word, count in parts.items() if count)
    line = f"search {number} {name}: {now.there} of {now.of}" + (f": {said}" if said else "")
    if now.best is not None:
        params = " ".join(f"{name}={value}" for name, value in now.best.params.items())
        line += f"; best {goal.metric} {now.best.value:.6g} ({number}_{now.best.number}: {params})"
    return f"{line}; held: {now.held}" if now.held else line
