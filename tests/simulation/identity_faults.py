"""What is not what it was: the server's data, the folder of the root, a machine's clock.

They befall some seeds beside what else does, by a chance of their own: the other seeds stay what
they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from simulation.queue_host import Copy

if TYPE_CHECKING:
    from simulation.faults import Faults
    from simulation.machine import Machine

SHARE = 0.4  # of all seeds
CLOCK_SHARE = 0.25
Kind = Callable[["Faults", Random], None]


def other_data(faults: Faults, rng: Random) -> None:
    """The server was started on another folder: it is empty, or another queue's."""
    host = faults.world.queue_host
    if host.down or not host.can_change or faults.world.loss.lost:
        return
    lasts_s = rng.choice((rng.uniform(2, 30), rng.uniform(60, 400)))
    what = rng.choice(("", "another"))
    until = faults.begin("other data", f"the server has {what or 'no'} queue's data", lasts_s)
    # Who types a command meanwhile does so in that queue, and is not followed.
    laptop = faults.world.user.laptop
    laptop.link.cut_until = max(laptop.link.cut_until, until + 1)
    host.exchange(what)
    _notice(faults, rng, until)

    def give_back() -> None:
        host.give_back()
        _notice(faults, rng, until)

    faults.engine.at(until, give_back)


def restored_backup(faults: Faults, rng: Random) -> None:
    """A backup is made, and some time later the server is started on it."""
    faults.engine.note("a backup is made", "queue")
    world = faults.world
    if not world.queue_host.can_change:
        return
    faults.last_until = max(faults.last_until, world.engine.now + 420)
    copy, known = world.queue_host.copy(), world.truth.copy()
    delay_s = rng.choice((rng.uniform(5, 40), rng.uniform(40, 400)))
    faults.engine.after(delay_s, partial(_go_back, faults, rng, copy, known))


def _go_back(faults: Faults, rng: Random, copy: Copy, known: object) -> None:
    host = faults.world.queue_host
    if host.down or not host.can_change or faults.world.loss.lost:
        return
    lasts_s = rng.choice((rng.uniform(0.1, 5), rng.uniform(5, 200)))
    until = faults.begin("backup restored", "the server is restored from the backup", lasts_s)
    host.down = True
    host.put(copy)
    faults.world.truth.go_back(known)
    faults.engine.at(until, host.restart)
    _notice(faults, rng, until)


def wrong_root(faults: Faults, rng: Random) -> None:
    """On one machine another folder lies where the results root was."""
    machine = rng.choice(faults.world.machines)
    lasts_s = rng.choice((rng.uniform(5, 60), rng.uniform(100, 400)))
    until = faults.begin("wrong root", f"{machine.name} has another folder as root", lasts_s)
    machine.view.other_until = until
    if rng.random() < 0.6:
        faults.begin("wrong root and cut", "and its tunnel is cut", lasts_s)
        machine.link.cut_until = max(machine.link.cut_until, until + rng.uniform(-30, 30))
        worker = faults.world.workers.get(machine.name)
        if worker is not None:
            faults.engine.after(rng.uniform(0.1, 20), worker.unsubscribe)


KINDS: tuple[Kind, ...] = (other_data, restored_backup, wrong_root)


def schedule(faults: Faults) -> None:
    """Let something of this befall the seed, or nothing."""
    rng = Random(f"{faults.world.seed}/identity")

    def strike(kind: Kind) -> None:
        if faults.ended_at == float("inf"):
            faults.engine.here = None
            kind(faults, rng)

    if rng.random() < SHARE:
        for _ in range(rng.choice((1, 1, 2))):
            faults.engine.after(rng.uniform(30, 350), partial(strike, rng.choice(KINDS)))


def set_clocks(seed: int, machines: Sequence[Machine]) -> None:
    """In some seeds the clock of one machine is 100 days ahead, or behind."""
    rng = Random(f"{seed}/clocks")
    if rng.random() < CLOCK_SHARE:
        rng.choice(machines).utc_offset_s += rng.choice((1, 1, -1)) * 100 * 86400


def _notice(faults: Faults, rng: Random, until: float) -> None:
    faults.server_disturbed_until = max(faults.server_disturbed_until, until)
    for name in sorted(faults.world.workers):
        worker = faults.world.workers[name]
        faults.engine.after(rng.uniform(0.01, 0.5), worker.unsubscribe)
