"""Gives others room for their work while our jobs run: a `Watch`.

Each second it looks how busy the cores are, and what of that our own processes used. Without jobs
it looks only for people. What others use is all that no mlq uses: a neighbour's jobs are a promise
and squeeze nobody. If nobody else is active, nothing is left free for them; what our user does
beside mlq makes nobody else active, as for the worker's placing: otherwise a job that is handed
back here would start again at once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from mlq.jobs.attempt import AttemptId
from mlq.units import rounded_mib
from mlq_worker.guest.memory.held_memory import HeldMemory
from mlq_worker.guest.own_processes import TICKS_PER_S, OwnProcesses, spent_ticks
from mlq_worker.guest.room.room import (
    ROOM_S,
    Cramped,
    Job,
    Shortage,
    Squeeze,
    cores_left,
    our_part,
)
from mlq_worker.guest.rules import GuestRules
from mlq_worker.guest.trees import Member
from mlq_worker.guest.watch import Demand, End, GuestAttempt, Seen
from mlq_worker.ipc.clock import Moment
from mlq_worker.probes.busy import busy_ticks
from mlq_worker.probes.cores import ACTIVE_CORES
from mlq_worker.probes.process_table import PROC

_SHORTEST_S = 0.5  # the kernel counts in ticks of 10 ms
_LONGEST_S = 5.0  # what was busy before a suspension, or without jobs, says nothing


class _Look(NamedTuple):
    at: float
    busy: Mapping[int, int]
    ours: Mapping[tuple[int, int], int]


@dataclass(slots=True)
class _State:
    """What is remembered while there are jobs."""

    squeeze: Squeeze[AttemptId] = field(default_factory=Squeeze)
    cramped: Cramped[AttemptId] = field(default_factory=Cramped)
    shortage: Shortage[AttemptId] = field(default_factory=Shortage)
    last: _Look | None = None
    last_of_user: tuple[float, Mapping[tuple[int, int], int]] | None = None
    squeezed: dict[AttemptId, int] = field(default_factory=dict)
    active_at: float = float("-inf")


class RoomEdges(NamedTuple):
    """What the watch touches.

    Args:
        own: finds our processes.
        usable: returns the cores that we may use.
        is_anybody: returns whether somebody else is at the desk, or typed by ssh lately.
        saved_at: returns when an attempt saved its state last, in boot time; None if that is not
            known, as for one that saved nothing. It must not wait for NFS.
        neighbours: returns how many cores the jobs of other people's mlq have.
        of_user: returns the CPU time of our user's processes, by pid and start, but for those
            known.
        proc: where procfs is.
    """

    own: OwnProcesses
    usable: Callable[[], frozenset[int]]
    is_anybody: Callable[[], bool] = lambda: False
    saved_at: Callable[[GuestAttempt], float | None] = lambda _: None
    neighbours: Callable[[], int] = lambda: 0
    of_user: Callable[[Collection[tuple[int, int]]], Mapping[tuple[int, int], int]] = lambda _: {}
    proc: Path = PROC


class RoomWatch:
    """The watch.

    Args:
        edges: what it touches.
        machine: the machine's name.
    """

    def __init__(self, edges: RoomEdges, machine: str) -> None:
        self._edges, self._machine = edges, machine
        self._state = _State()

    def look(self, attempts: Sequence[GuestAttempt], rules: GuestRules, now: Moment) -> Seen:
        """Look once."""
        if rules.guest == "mine" or rules.is_granted:
            self._state = _State()
            return Seen()
        is_anybody = self._edges.is_anybody()
        if not attempts:
            self._state = _State()
            return Seen(facts=_told({}, is_anybody=is_anybody))
        oldest_first = sorted(attempts, key=lambda one: one.started_at)
        demands = {
            attempt: Demand(cores=cores)
            for attempt, cores in self._squeezed(
                oldest_first, rules, now.at, is_anybody=is_anybody
            ).items()
        }
        victim = self._short_of_memory(oldest_first, rules, now.at)
        if victim is not None:
            attempt, end = victim
            demands[attempt] = demands.get(attempt, Demand())._replace(end=end)
        cramped = self._cramped(oldest_first, rules, now.at)
        return Seen(demands, facts=_told(cramped, is_anybody=is_anybody))

    # --- cores ------------------------------------------------------------------------------------

    def _squeezed(
        self, attempts: Sequence[GuestAttempt], rules: GuestRules, at: float, *, is_anybody: bool
    ) -> dict[AttemptId, int]:
        state, usable = self._state, self._edges.usable()
        running = [one for one in attempts if not one.paused_by]
        asked = {one.id: max(1, one.share.cores) for one in running}
        others = self._others(attempts, usable, at)
        is_active = is_anybody or self._are_others_active(others, at)
        if is_active:
            state.active_at = at
        if others is not None:
            # Of what is not known yet, the next look tells: until then others come first.
            left = cores_left(
                len(usable), others, rules.reserve_cores, is_active=is_active is not False
            )
            ours = our_part(left, sum(asked.values()), self._edges.neighbours()) if asked else left
            state.squeezed = state.squeeze.see(at, ours, asked)
        return {one: cores for one, cores in state.squeezed.items() if one in asked}

    def _others(
        self, attempts: Sequence[GuestAttempt], usable: frozenset[int], at: float
    ) -> float | None:
        """Return how many cores others keep busy; None: it is too early to tell."""
        state, last = self._state, self._state.last
        if last is not None and at - last.at < _SHORTEST_S:
            return None
        self._edges.own.of(attempts, at)
        state.last = now = _Look(at, busy_ticks(self._edges.proc, usable), self._edges.own.ticks())
        if last is None or at - last.at > _LONGEST_S or now.busy.keys() != last.busy.keys():
            return None
        used = sum(now.busy[core] - last.busy[core] for core in now.busy)
        others = used - spent_ticks(last.ours, now.ours, last.at)
        return max(0.0, others / TICKS_PER_S / (at - last.at))

    def _are_others_active(self, cores: float | None, at: float) -> bool | None:
        """Return whether others beside our own user keep cores busy; None: the next look tells."""
        state, last = self._state, self._state.last_of_user
        if cores is None or cores < ACTIVE_CORES or state.last is None:
            state.last_of_user = None
            return False
        now = self._edges.of_user(state.last.ours)
        state.last_of_user = at, now
        if last is None or at - last[0] > _LONGEST_S:
            return None
        ours = spent_ticks(last[1], now, last[0]) / TICKS_PER_S / (at - last[0])
        return cores - ours >= ACTIVE_CORES

    # --- memory -----------------------------------------------------------------------------------

    def _short_of_memory(
        self, attempts: Sequence[GuestAttempt], rules: GuestRules, at: float
    ) -> tuple[AttemptId, End] | None:
        if at > self._state.active_at + ROOM_S:
            return None
        available_mib, total_mib = self._memory_mib()
        if available_mib >= rules.reserve_mem_mib:
            self._state.shortage.see(at, available_mib, rules.reserve_mem_mib, ())
            return None
        found = self._edges.own.of(attempts, at)
        jobs = [
            Job(
                one.id,
                max(one.started_at, self._edges.saved_at(one) or 0.0),
                one.is_ending,
                has_more=self._has_more(one, found.get(one.target.pid or 0, ())),
            )
            for one in attempts
        ]
        victim = self._state.shortage.see(at, available_mib, rules.reserve_mem_mib, jobs)
        if victim is None:
            return None
        ours_mib = sum(one.rss_mib for members in found.values() for one in members)
        others_mib = max(0.0, total_mib - available_mib - ours_mib)
        reason = (
            f"handed back: {self._machine} runs out of memory; others use "
            f"{rounded_mib(round(others_mib))}"
        )
        end = End("released", reason, 0.0) if victim.at_once else End("released", reason)
        return victim.name, end

    def _has_more(self, one: GuestAttempt, members: Sequence[Member]) -> bool:
        """Return whether a job has more memory than it was promised without asking for any."""
        share = one.share
        promised_mib = share.mem_mib
        if share.mem_is_asked or not promised_mib:
            return False
        if sum(each.rss_mib for each in members) <= promised_mib:
            return False
        return HeldMemory(self._edges.proc).at_most_mib(members) > promised_mib

    def _memory_mib(self) -> tuple[float, float]:
        """Return what the kernel could give, and all that there is."""
        kib = {}
        for line in (self._edges.proc / "meminfo").read_bytes().splitlines()[:5]:
            name, _, rest = line.partition(b":")
            kib[name] = int(rest.split()[0])
        return kib[b"MemAvailable"] / 1024, kib[b"MemTotal"] / 1024

    # --- what is told -----------------------------------------------------------------------------

    def _cramped(
        self, attempts: Sequence[GuestAttempt], rules: GuestRules, at: float
    ) -> dict[str, Any]:
        """Return which jobs have had less than half of their cores for so long that they may go."""
        asked = {one.id: max(1, one.share.cores) for one in attempts}
        cramped = self._state.cramped.see(at, asked, self._state.squeezed)
        long = sorted(one for one, seconds in cramped.items() if seconds >= rules.desk_evict_s)
        return {"cramped": [list(one) for one in long]} if long else {}


def _told(facts: Mapping[str, Any], *, is_anybody: bool) -> Mapping[str, Mapping[str, Any]]:
    """Return what the worker is told; only what changes seldom, since each change is told."""
    known = {**facts, "anybody": True} if is_anybody else facts
    return {"room": known} if known else {}
