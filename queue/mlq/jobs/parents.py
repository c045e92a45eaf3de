"""How the jobs that a job comes after must have ended, for it to start.

A job needs its parents to have finished, to have ended in whatever way, or to have failed; each of
them may have a condition of its own. `lua/_dependents.lua` applies the same rules in the queue, as
parents end one by one. This module is what Python needs of them: what a user types, and what a
queue that is made anew from the results root concludes.

Where a whole sweep is to have failed, that means: all its members have ended, and not all well.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from mlq.errors import InvalidInputError
from mlq.jobs.lifecycle import ENDED, State

Condition = Literal["finished", "ended", "failed"]

CONDITIONS: dict[str, Condition] = {"finished": "finished", "ended": "ended", "failed": "failed"}
_TYPED: dict[str, Condition] = {"ok": "finished", "any": "ended", "failed": "failed"}


class Parents(NamedTuple):
    """The jobs that a job comes after.

    Args:
        ids: of the jobs.
        any_end: whether those without a condition of their own need only end.
        conditions: id of a parent, or number of a sweep for all members of it -> its condition.
    """

    ids: tuple[str, ...] = ()
    any_end: bool = False
    conditions: Mapping[str, Condition] = {}

    def condition(self, parent: str) -> Condition:
        """Return how this parent must have ended."""
        own = self.conditions.get(parent) or self.conditions.get(_sweep(parent))
        return own or ("ended" if self.any_end else "finished")

    def verdict(self, pending: Collection[str], state_of: Callable[[str], str]) -> Verdict:
        """Return what the ends of parents mean for a job that waited for some of them.

        Args:
            pending: the parents that it waited for; ones that `ids` does not have need only end.
            state_of: the state of a job, "" if nothing is known of it.
        """
        left, whole = [], {}
        for parent in pending:
            wanted = self.condition(parent) if parent in self.ids else "ended"
            state = state_of(parent)
            if state and state not in ENDED:
                left.append(parent)
            elif self.means_whole(parent):
                whole[_sweep(parent)] = parent
            elif not _holds(wanted, state):
                return Verdict((), parent, why_not(parent, state, wanted))
        waited = {_sweep(one) for one in left}
        for sweep, last in whole.items():
            members = [one for one in self.ids if _sweep(one) == sweep]
            if sweep not in waited and all(state_of(one) == State.FINISHED for one in members):
                return Verdict((), last, why_not(sweep, State.FINISHED, "failed"))
        return Verdict(tuple(left))

    def means_whole(self, parent: str) -> bool:
        """Return whether the sweep of this member is to have failed as a whole."""
        if parent in self.conditions:
            return False
        return self.conditions.get(_sweep(parent)) == "failed"


class Meant(NamedTuple):
    """What a typed parent means: a condition, and jobs; with `sweep` they are all its members."""

    condition: Condition
    ids: Sequence[str]
    sweep: str = ""


class Verdict(NamedTuple):
    """What becomes of a job that waits for others.

    Args:
        left: those it still waits for; none: it may start, unless it is refused.
        refused_by: the parent because of which it never runs; "" if there is none.
        why: the reason for that.
    """

    left: tuple[str, ...] = ()
    refused_by: str = ""
    why: str = ""


def split(word: str, otherwise: Condition) -> tuple[Condition, str]:
    """Return the condition that a typed parent begins with, and the rest: `failed:1042`.

    Args:
        word: as typed; the name of a job that begins like a condition is typed `ok:any:name`.
        otherwise: the condition of a word that names none.
    """
    prefix, colon, rest = word.partition(":")
    if colon and prefix in _TYPED:
        return _TYPED[prefix], rest
    return otherwise, word


def both(one: Condition, other: Condition, parent: str) -> Condition:
    """Return the condition that means two conditions of the same parent.

    Raises:
        InvalidInputError: it cannot meet both.
    """
    if {one, other} == {"finished", "failed"}:
        raise InvalidInputError(
            f"a job after {parent} would never run",
            why="it is to wait until that job has finished, and until it has failed",
        )
    return other if one == "ended" else one


def of_all(words: Iterable[Meant]) -> Parents:
    """Return the parents that typed words mean.

    Raises:
        InvalidInputError: a parent cannot meet both of two conditions.
    """
    alone: dict[str, Condition] = {}
    sweeps: dict[str, Condition] = {}
    ids: dict[str, None] = {}
    for word in words:
        ids.update(dict.fromkeys(word.ids))
        into, names = (sweeps, (word.sweep,)) if word.sweep else (alone, word.ids)
        for name in names:
            into[name] = both(into.get(name, "ended"), word.condition, name)
    for one in ids:
        if one in alone and _sweep(one) in sweeps:
            alone[one] = both(alone[one], sweeps[_sweep(one)], one)
    kinds = {*alone.values(), *sweeps.values()}
    if kinds == {"ended"} or kinds <= {"finished"}:
        return Parents(tuple(ids), kinds == {"ended"})
    named = alone | sweeps
    return Parents(
        tuple(ids),
        conditions={
            name: condition
            for name, condition in named.items()
            if condition != "finished" or _sweep(name) in sweeps
        },
    )


def why_not(parent: str, state: str, wanted: Condition) -> str:
    """Return why a parent's end keeps a job from running, as `_dependents.lua` says it."""
    if wanted == "failed" and state == State.FINISHED:
        return f"parent {parent} {state}, and was to fail"
    return f"parent {parent} {state or 'is lost'}"


def _holds(wanted: Condition, state: str) -> bool:
    if wanted == "ended":
        return True
    if wanted == "failed":
        return bool(state) and state != State.FINISHED
    return state == State.FINISHED


def _sweep(job_id: str) -> str:
    number, member, _ = job_id.partition("_")
    return number if member else ""
