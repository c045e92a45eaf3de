"""Which cores the jobs of this supervisor have: pure, but for what it remembers.

A job that starts gets its cores at once, before its first instruction. Very short jobs start in
lanes, faster than anybody could be asked, so a lane has the cores of all jobs that run in it at
once, and the launcher gives each a part that is free. Each look divides anew, as little as possible
(`cores.assign`): when cores go offline, when a neighbour has the same ones, when a job is squeezed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from mlq.jobs.attempt import AttemptId
from mlq_worker.guest.cores.cores import NO_CORES, Cores, Machine, Wish, assign, best_slot, slots
from mlq_worker.guest.watch import GuestAttempt
from mlq_worker.ipc.values import Order


@dataclass(slots=True)
class _Holder:
    """A job, or all jobs of a lane.

    `each`: how many cores a job asked for. `width`: how many jobs run at once.
    """

    each: int
    width: int = 1
    cores: Cores = NO_CORES
    parts: tuple[Cores, ...] = ()

    def have(self, machine: Machine, cores: Cores) -> None:
        if cores != self.cores or not self.parts:
            self.cores, self.parts = cores, slots(machine, cores, self.width)


class CoreTable:
    """Who has which cores."""

    def __init__(self) -> None:
        self._holders: dict[AttemptId | str, _Holder] = {}
        self._lanes: dict[AttemptId, str] = {}
        self._has: dict[AttemptId, Cores] = {}

    def start(self, order: Order, machine: Machine) -> tuple[Cores, ...]:
        """Return sets of cores, one of which a new job gets; () if it must not be pinned.

        Args:
            order: the job; the width is that of its lane now.
            machine: what there is.
        """
        if order.share is None:
            return ()
        name: AttemptId | str = order.attempt if order.lane is None else order.lane
        if order.lane is not None:
            self._lanes[order.attempt] = order.lane
        each, width = max(1, order.share.cores), max(1, order.width) if order.lane else 1
        holder = self._holders.get(name)
        known = holder is not None and (holder.each, holder.width) == (each, width)
        if holder is None or not known or not holder.cores <= machine.usable:
            held = NO_CORES if holder is None else holder.cores
            self._holders[name] = holder = _Holder(each, width)
            wishes = [
                Wish(other, len(one.cores), one.cores)
                for other, one in self._holders.items()
                if other != name
            ]
            found = assign(machine, [*wishes, Wish(name, each * width, held)])
            holder.have(machine, found[name])
        return holder.parts

    def keep(self, live: Collection[AttemptId]) -> None:
        """Forget all but these attempts, which may have processes."""
        self._lanes = {one: lane for one, lane in self._lanes.items() if one in live}
        kept: set[AttemptId | str] = {*live, *self._lanes.values()}
        self._holders = {name: one for name, one in self._holders.items() if name in kept}
        self._has = {one: cores for one, cores in self._has.items() if one in live}

    def look(
        self,
        attempts: Sequence[GuestAttempt],
        squeezed: Mapping[AttemptId, int],
        machine: Machine,
        seen: Callable[[GuestAttempt], Cores],
    ) -> dict[AttemptId, Cores]:
        """Return the cores that each attempt has from now on.

        Args:
            attempts: those that have processes, the oldest first.
            squeezed: to how many cores some are squeezed.
            machine: what there is.
            seen: to which cores an attempt is pinned, if nothing else is known of it.
        """
        wishes: dict[AttemptId | str, Wish[AttemptId | str]] = {}
        for one in attempts:
            name = self._lanes.get(one.id, one.id)
            holder = self._holders.setdefault(name, _Holder(max(1, one.share.cores)))
            number = holder.each * holder.width
            if name == one.id:
                number = min(number, squeezed.get(one.id, number))
            wishes[name] = Wish(name, max(1, number), holder.cores)
        # Those that are about to start keep theirs.
        for name, holder in self._holders.items():
            wishes.setdefault(name, Wish(name, len(holder.cores), holder.cores))
        for name, cores in assign(machine, list(wishes.values())).items():
            self._holders[name].have(machine, cores)
        used: dict[AttemptId | str, list[Cores]] = {}
        for one in attempts:
            name = self._lanes.get(one.id, one.id)
            parts, taken = self._holders[name].parts, used.setdefault(name, [])
            if not parts:
                continue
            part = parts[0]
            if len(parts) > 1:
                part = best_slot(parts, self._has.get(one.id) or seen(one), taken)
                taken.append(part)
            self._has[one.id] = _squeezed(part, squeezed.get(one.id))
        return {one.id: self._has[one.id] for one in attempts if one.id in self._has}

    def started_on(self, attempt: AttemptId) -> Cores | None:
        """Return the cores on which an attempt of no lane started.

        Nothing: it started in a lane. None: it was not pinned.
        """
        if attempt in self._lanes:
            return NO_CORES
        holder = self._holders.get(attempt)
        return None if holder is None else holder.cores

    def cores_of(self, attempt: AttemptId) -> Cores:
        """Return what an attempt has; nothing if it has not been looked at."""
        return self._has.get(attempt, NO_CORES)


def _squeezed(cores: Cores, number: int | None) -> Cores:
    if number is None or len(cores) <= number:
        return cores
    return frozenset(sorted(cores)[: max(1, number)])
