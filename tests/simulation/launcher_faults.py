"""A launcher is stopped and goes on later; often its supervisor dies, and has a successor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulation.machine import Machine

if TYPE_CHECKING:
    from simulation.faults import Faults


def stop_launcher(faults: Faults, machine: Machine) -> None:
    supervisor = faults.world.supervisor(machine)
    if supervisor is None or not supervisor.launchers or machine.frozen:
        return
    lasts_s = faults.span_s()
    until = faults.begin("launcher stopped", "the launcher is stopped", lasts_s)
    supervisor.launchers[-1].stopped_until = until

    def strike() -> None:
        if faults.world.supervisor(machine) is supervisor and not machine.frozen:
            faults.begin("supervisor killed", "the supervisor is killed")
            supervisor.kill()

    if faults.rng.random() < 0.7:
        faults.engine.after(faults.rng.uniform(0.0, 1.0), strike)
