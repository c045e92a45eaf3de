"""Machines that lack what jobs need, or on which all of them fail; and that no job fails for it.

A job that misses its folder on one machine must not fail while another one could have run it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlq_worker.ipc.causes import Cause, Kind
from mlq_worker.launcher.lookup import Failure
from simulation.engine import Violation
from simulation.machine import Machine

if TYPE_CHECKING:
    from simulation.faults import Faults
    from simulation.world import World

REASON = "working directory missing: /"
CALM_S = 30.0
BELIEVED_S = 120.0  # longer than others believe that what was missing there is missing still


def lose_folder(faults: Faults, machine: Machine) -> None:
    lasts_s = faults.rng.uniform(60, 900)
    machine.lacks_until = faults.begin("folder missing", "the jobs' folder is gone", lasts_s)


def fail_everything(faults: Faults, machine: Machine) -> None:
    lasts_s = faults.rng.uniform(60, 900)
    machine.fails_until = faults.begin("all jobs fail", "every job that starts fails", lasts_s)


def missing(machine: Machine) -> Failure | None:
    """Return what a launcher finds when it prepares a job."""
    if machine.engine.now >= machine.lacks_until:
        return None
    machine.engine.note("a job misses its folder")
    return Failure("unstartable", 127, REASON, Cause(Kind.FOLDER, "/"))


def check_failure(world: World, what: str, reason: str) -> None:
    """No job fails for want of a folder that another machine has had for long."""
    if not reason.startswith(REASON):
        return
    having = [machine.name for machine in world.machines if _has_it_for_long(world, machine)]
    if having:
        raise Violation(f"{what}: it would have gone well on {', '.join(having)}")


def _has_it_for_long(world: World, machine: Machine) -> bool:
    worker: Any = world.workers.get(machine.name)
    if not machine.on or worker is None:
        return False
    disturbed_until = max(
        worker.settled_at,
        worker.frozen_until,
        machine.frozen_until,
        machine.lacks_until + BELIEVED_S - CALM_S if machine.lacks_until else 0.0,
        machine.link.cut_until,
        machine.link.loses_until,
        machine.link.slow_until,
        machine.view.hangs_until,
        machine.view.fails_until,
        world.faults.server_disturbed_until,
    )
    return bool(world.engine.now - disturbed_until > CALM_S)
