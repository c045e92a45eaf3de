"""People who come to the machines: they sit down, switch mlq off, or need the memory.

They come in some seeds beside what else befalls the laboratory, by a chance of their own: the other
seeds stay what they are. Checked here: whoever sits down has the machine to themselves two seconds
later, but for attempts that were told to end.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from mlq.jobs.attempt import AttemptId
from mlq_worker.guest.rules import GuestRules
from mlq_worker.guest.watch import Demand, End, GuestAttempt, Pause, PauseReason, Seen
from mlq_worker.ipc.clock import Moment
from simulation.engine import Violation

if TYPE_CHECKING:
    from simulation.faults import Faults
    from simulation.machine import Machine

SHARE = 0.3  # of all seeds
PAUSED_WITHIN_S = 2.0
_EVICT_S: dict[PauseReason, float] = {"desk": 120.0, "off": 60.0}
_WORDS: dict[PauseReason, str] = {
    "desk": "somebody is at the desk of lab",
    "off": "off by ab12",
}


class SimGuest:
    """Stands in for the watches of one supervisor."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._paused_at: dict[AttemptId, float] = {}

    def start(self, _order: object, _rules: object) -> tuple[frozenset[int], ...]:
        return ()  # the machine's cores have no numbers

    def keep(self, live: Collection[AttemptId]) -> None:
        """Nothing is remembered of them."""

    def look(self, attempts: Sequence[GuestAttempt], rules: GuestRules, now: Moment) -> Seen:
        machine, demands = self._machine, {}
        if machine.takes_memory and attempts:
            machine.takes_memory = False
            end = End("released", "handed back: others need the memory", most_grace_s=0)
            demands[attempts[0].id] = Demand(end=end)
        reason = machine.guest_is_here
        if reason is None:
            self._paused_at = {}
            return Seen(demands)
        words = _WORDS[reason]
        for one in attempts:
            since = self._paused_at.setdefault(one.id, now.at)
            is_over = now.at >= since + _EVICT_S[reason]
            end = End("released", f"handed back: {words}") if is_over else None
            demands.setdefault(one.id, Demand((Pause(reason, words),), end=end))
        return Seen(demands, closed=words)


def schedule(faults: Faults) -> None:
    """Let people come to this seed's machines, or not."""
    rng = Random(f"guests {faults.world.seed}")
    if rng.random() >= SHARE:
        return
    at = 0.0
    for _ in range(rng.randint(2, 8)):
        at += rng.uniform(20, 200)
        faults.last_until = max(faults.last_until, at)
        faults.engine.after(at, partial(_come, faults, rng))


def _come(faults: Faults, rng: Random) -> None:
    machine = rng.choice(faults.world.machines)
    faults.engine.here = machine
    if rng.random() < 0.25:
        faults.begin("memory", "others need the memory")
        machine.takes_memory = True
        return
    reason: PauseReason = rng.choice(("desk", "desk", "off"))
    if machine.guest_is_here is not None:
        return
    lasts_s = rng.choice((rng.uniform(3, 60), rng.uniform(60, 600)))
    until = faults.begin(reason, f"{_WORDS[reason]} {machine.name}", lasts_s)
    machine.guest_is_here, machine.guest_since = reason, faults.engine.now
    faults.engine.after(PAUSED_WITHIN_S, partial(check, faults, machine, machine.guest_since))
    faults.engine.at(until, partial(_leave, machine))


def _leave(machine: Machine) -> None:
    machine.guest_is_here = None


def check(faults: Faults, machine: Machine, since: float) -> None:
    """Find attempts that run although somebody sat down at `since`."""
    supervisor = faults.world.supervisor(machine)
    if machine.guest_is_here is None or machine.guest_since != since:
        return
    if supervisor is None or not machine.on or machine.frozen:
        return
    frozen_until = max(supervisor.frozen_until, machine.frozen_until)
    if frozen_until > faults.engine.now - PAUSED_WITHIN_S - 1:
        return
    if not supervisor.is_minding_others():
        return
    told = {one.id for one in supervisor.loop._state.held if one.ending is not None}
    for process in machine.table.values():
        is_young = process.since > since  # it is paused at the next look
        if machine.is_running(process) and process.job not in told and not is_young:
            raise Violation(f"{process.job} runs on {machine.name}, where {machine.guest_is_here}")
