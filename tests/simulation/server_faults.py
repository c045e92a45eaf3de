"""Redis is killed and forgets; clocks jump."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from simulation.machine import Machine

if TYPE_CHECKING:
    from simulation.faults import Faults


def redis_restart(faults: Faults, machine: Machine) -> None:
    if not faults.world.queue_host.down and not faults.world.queue_host.is_exchanged:
        lasts_s = faults.rng.choice((faults.rng.uniform(0.1, 5), faults.span_s(300)))
        until = faults.begin("Redis killed", "Redis is killed and stays away", lasts_s)
        _crash(faults, until)


def redis_forgets(faults: Faults, machine: Machine) -> None:
    """The queue's host loses power, and with it what Redis did in its last second."""
    host = faults.world.queue_host
    before = faults.rng.choice(("claim", "claim", "submit", "move"))

    def strike() -> None:
        host.stop_flushing()
        faults.world.truth.remember()
        faults.engine.note(f"from this {before} on, nothing reaches the disk", "queue")
        faults.engine.after(faults.rng.uniform(0, 1), fall)

    def fall() -> None:
        if not host.down:
            until = faults.begin(
                "Redis forgot",
                "Redis is killed and forgets its last second",
                faults.rng.uniform(0.1, 60),
            )
            _crash(faults, until)

    if not host.down and not host.is_exchanged:
        host.ambush = before, strike


def _crash(faults: Faults, until: float) -> None:
    host = faults.world.queue_host
    if host.crash():
        faults.world.truth.forget()
    faults.engine.at(until, host.restart)
    faults.server_disturbed_until = max(faults.server_disturbed_until, until)
    for worker in faults.world.workers.values():
        faults.engine.after(faults.rng.uniform(0.01, 0.5), worker.unsubscribe)


def jump_utc(faults: Faults, machine: Machine) -> None:
    jump_s = faults.rng.choice((-1, 1)) * faults.span_s(86400)
    faults.begin("time of day jumps", f"the time of day jumps by {jump_s:.0f} s")
    machine.utc_offset_s += jump_s


def jump_server_clock(faults: Faults, machine: Machine) -> None:
    _jump_server_clock(faults, faults.rng.choice((-1, 1)) * faults.span_s(600))


def jump_in_silence(faults: Faults, machine: Machine) -> None:
    """All leases end at once, while a machine has but its lease to tell that it is well."""
    lasts_s = faults.rng.uniform(150, 300)
    until = faults.begin("NFS hang", "NFS hangs", lasts_s)
    machine.view.hangs_until, machine.view.soft = until, False
    jump_s = faults.rng.uniform(60, 600)
    at_s = faults.rng.uniform(100, lasts_s)
    faults.engine.after(at_s, partial(_jump_server_clock, faults, jump_s))


def _jump_server_clock(faults: Faults, jump_s: float) -> None:
    faults.engine.here = None
    faults.begin("server's clock jumps", f"the clock of Redis jumps by {jump_s:.0f} s")
    faults.world.queue_host.clock_offset_s += jump_s
    disturbed_until = faults.engine.now + abs(jump_s)
    faults.server_disturbed_until = max(faults.server_disturbed_until, disturbed_until)
