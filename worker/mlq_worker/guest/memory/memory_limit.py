"""Keeps jobs to the memory that their users asked for, by looks: a `Watch`.

For machines where the kernel does not hold the limit (`cgroups`). In this thread it only adds up
the resident memory of each job that has a limit, which is never less than what the job holds. A
thread measures those that exceed their limit by that sum; the next look takes its answer. Without
such jobs it reads nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from mlq.jobs.attempt import AttemptId
from mlq.threads import start_thread
from mlq_worker.guest.memory import limits
from mlq_worker.guest.memory.cgroups import NO_SCOPE, JobCgroups, Scope
from mlq_worker.guest.memory.held_memory import HeldMemory, shared_mib
from mlq_worker.guest.rules import GuestRules
from mlq_worker.guest.trees import Member, Trees
from mlq_worker.guest.watch import Demand, GuestAttempt, Seen
from mlq_worker.ipc.clock import Moment
from mlq_worker.probes.process_table import PROC

Run = Callable[[Callable[[], None]], bool]


def in_a_thread(work: Callable[[], None]) -> bool:
    """Do something that may hang in a thread of its own; return whether there is room for one."""
    return start_thread(work, "held-memory") is not None


@dataclass(slots=True)
class _Watched:
    """What is known of a job that has a limit."""

    memory: HeldMemory
    is_measured: bool = False
    was_over: bool = False
    answers: list[float | None] = field(default_factory=list)


class MemoryLimit:
    """The watch.

    Args:
        proc: where procfs is.
        scope: where jobs have cgroups; the kernel holds the limits of those that are there.
        run: does the work that may hang.
    """

    def __init__(self, proc: Path = PROC, scope: Scope = NO_SCOPE, run: Run = in_a_thread) -> None:
        self._proc, self._run = proc, run
        self._cgroups = JobCgroups(scope.folder)
        how = {"how": "cgroup"} if scope.folder else {"how": "looks", "why": scope.why_not}
        self._facts = {"limits": how}
        self._trees = Trees(proc)
        self._watched: dict[AttemptId, _Watched] = {}

    def look(self, attempts: Sequence[GuestAttempt], rules: GuestRules, now: Moment) -> Seen:
        """Look once; demand the end of jobs that take too much."""
        limited = [
            one
            for one in attempts
            if _has_limit(one, rules) and not self._cgroups.holds_memory(one.id)
        ]
        known = {one.id for one in limited}
        self._watched = {key: one for key, one in self._watched.items() if key in known}
        if not limited:
            return Seen(facts=self._facts)
        found = self._trees.look([one.target for one in limited], now.at)
        lying_mib = shared_mib()
        demands: dict[AttemptId, Demand] = {}
        for one in limited:
            watched = self._watched.get(one.id)
            if watched is None:
                watched = self._watched[one.id] = _Watched(HeldMemory(self._proc))
            demand = _demand(one, watched)
            if demand is not None:
                demands[one.id] = demand
            self._measure(one, watched, found, lying_mib, now.at)
        return Seen(demands, facts=self._facts)

    def _measure(
        self,
        one: GuestAttempt,
        watched: _Watched,
        found: Mapping[int, Sequence[Member]],
        lying_mib: float,
        at: float,
    ) -> None:
        """Have a job measured whose resident memory is above its limit."""
        members, limit_mib = found.get(one.target.pid or 0, ()), one.share.mem_mib
        if watched.is_measured:
            return
        if sum(each.rss_mib for each in members) + lying_mib <= limit_mib:
            watched.was_over = False
            return
        watched.is_measured = self._run(lambda: _measure(watched, members, limit_mib, at))


def _measure(watched: _Watched, members: Sequence[Member], limit_mib: int, at: float) -> None:
    held_mib = None
    with suppress(OSError, ValueError):
        held_mib = watched.memory.exceeds(members, limit_mib, at)
    watched.answers.append(held_mib)


def _has_limit(one: GuestAttempt, rules: GuestRules) -> bool:
    share = one.share
    return (
        share.mem_is_asked
        and share.mem_mib > 0
        and one.target.pid is not None
        and not one.is_ending
        and rules.enforces("mem")
    )


def _demand(one: GuestAttempt, watched: _Watched) -> Demand | None:
    """Return what follows from the answer of the last measurement, if there is one."""
    if not watched.answers:
        return None
    held_mib, watched.is_measured = watched.answers.pop(), False
    limit_mib = one.share.mem_mib
    over = limits.judged(limit_mib, held_mib or 0.0, was_over=watched.was_over)
    watched.was_over = over.is_over
    return Demand(end=limits.end(limit_mib, held_mib or 0.0)) if over.ends else None
