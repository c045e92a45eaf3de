"""Which cores, by number, each job gets: pure.

A job is pinned to as many logical cores as it asked for, so that it takes no more. Invariants: no
two jobs share one while there are enough; a job keeps what it has while that is still right, since
a program may have arranged its threads on it; both threads of a physical core go to the same job,
and jobs share a physical core only when none is wholly free.

If more is promised than there are (short jobs claimed ahead, a setting above what the machine has),
each job still gets its number, and the cores with the fewest jobs are shared.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

N = TypeVar("N")
Cores = frozenset[int]
NO_CORES: Cores = frozenset()


class Machine(NamedTuple):
    """The cores that may be given out.

    Args:
        usable: by number: those of our own affinity that are online.
        siblings: of each core the threads of its physical core; one that is missing stands alone.
        taken: what neighbours' jobs are pinned to.
        busy: how busy others keep a core, 0 to 1; one that is missing is idle.
    """

    usable: Cores
    siblings: Mapping[int, Cores] = {}
    taken: Cores = NO_CORES
    busy: Mapping[int, float] = {}

    def physical(self, core: int) -> Cores:
        """Return the usable threads of a core's physical core."""
        return self.siblings.get(core, frozenset((core,))) & self.usable | {core}


class Wish(NamedTuple, Generic[N]):
    """What one job, or one lane of short jobs, is to have.

    Args:
        name: whose it is.
        number: how many cores.
        held: which it has now.
    """

    name: N
    number: int
    held: Cores = NO_CORES


def assign(machine: Machine, wishes: Sequence[Wish[N]]) -> dict[N, Cores]:
    """Return the cores of each; earlier wishes go first.

    Who has more than its number gives up some, who has fewer gets more, and everybody else keeps
    what it has, unless it went offline, or somebody else has it too and others are free.
    """
    if not machine.usable:
        return {wish.name: wish.held for wish in wishes}
    # So that the rest finds only threads that may be used, and need not ask which.
    near = {core: machine.physical(core) for core in machine.usable}
    machine = machine._replace(siblings=near)
    found: dict[N, Cores] = {}
    load = dict.fromkeys(machine.usable, 0)
    for core in machine.taken & machine.usable:
        load[core] += 1
    # First all that is held alone, so that a new job does not take what a later one has.
    for wish in wishes:
        kept = _kept(machine, wish, load)
        found[wish.name] = kept
        _add(load, kept, 1)
    for wish in wishes:
        lacking = min(wish.number, len(machine.usable)) - len(found[wish.name])
        if lacking > 0:
            more = _chosen(machine, load, wish, found[wish.name], lacking)
            found[wish.name] |= more
            _add(load, more, 1)
    return found


def _kept(machine: Machine, wish: Wish[N], load: Mapping[int, int]) -> Cores:
    """Return which of its cores a job keeps: those that nobody else has, siblings together."""
    mine = [core for core in wish.held & machine.usable if not load[core]]
    if len(mine) <= wish.number:
        return frozenset(mine)
    held = frozenset(mine)
    whole = sorted(
        mine, key=lambda core: (-len(machine.siblings[core] & held), min(machine.siblings[core]))
    )
    return frozenset(whole[: wish.number])


def _chosen(
    machine: Machine, load: Mapping[int, int], wish: Wish[N], kept: Cores, count: int
) -> Cores:
    """Return so many cores beside those that a job keeps: the least used, siblings together."""
    chosen: set[int] = set()
    while len(chosen) < count:
        mine = chosen | kept
        left = [core for core in machine.usable if core not in mine]
        chosen.add(min(left, key=lambda core: _price(machine, load, wish.held, mine, core)))
    return frozenset(chosen)


def _price(
    machine: Machine, load: Mapping[int, int], held: Cores, mine: Collection[int], core: int
) -> tuple[int, bool, bool, int, float, int, int]:
    """Return how ill a core suits a job: the lowest is taken next."""
    physical = machine.siblings[core]
    others = [one for one in physical if one != core]
    beside_own = any(one in mine for one in others)
    crowd = sum(load[one] for one in others if one not in mine)
    busy = max(machine.busy.get(one, 0.0) for one in physical)
    ill = round(busy, 1), min(physical), core
    return load[core], core not in held, not beside_own, crowd, *ill


def _add(load: dict[int, int], cores: Iterable[int], number: int) -> None:
    for core in cores:
        load[core] += number


def slots(machine: Machine, cores: Cores, width: int) -> tuple[Cores, ...]:
    """Divide a lane's cores among as many jobs as run in it at once, siblings together.

    With fewer cores than jobs each has one, and shares it.
    """
    if not cores:
        return ()
    ordered = sorted(cores, key=lambda core: (min(machine.physical(core)), core))
    each = max(1, len(ordered) // max(1, width))
    return tuple(
        frozenset(ordered[(number * each + one) % len(ordered)] for one in range(each))
        for number in range(max(1, width))
    )


def best_slot(choice: Sequence[Cores], has: Cores, used: Collection[Cores]) -> Cores:
    """Return the part of its lane that a job is in by its own affinity: one not used, if any."""
    free = [slot for slot in choice if slot not in used] or list(choice)
    return max(free, key=lambda slot: (len(slot & has), -len(slot - has)))
