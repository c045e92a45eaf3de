"""Machines lose power, freeze and reboot; their daemons are killed, frozen or told to leave."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from mlq_worker.agent.facts import Mode
from simulation.machine import Machine

if TYPE_CHECKING:
    from simulation.faults import Faults
    from simulation.workers import WorkerHost

SUPERVISOR_FREEZE_S = 4.0  # less than the margin between the end of trust and the end of a lease


def power_cut(faults: Faults, machine: Machine) -> None:
    lasts_s = faults.span_s()
    if faults.rng.random() < 0.15:
        faults.dead.add(machine.name)
    lose_power(faults, machine, "power cut", lasts_s)


def reboot(faults: Faults, machine: Machine) -> None:
    lose_power(faults, machine, "reboot", faults.rng.uniform(3, 60))


def lose_power(faults: Faults, machine: Machine, kind: str, lasts_s: float) -> None:
    """Take a machine's power away for so long."""
    if not machine.on:
        return
    faults.begin(kind, kind, lasts_s)
    world = faults.world
    worker, supervisor = world.workers.get(machine.name), world.supervisor(machine)
    if worker is not None:
        worker.kill()
    if supervisor is not None:
        supervisor.kill()
        for launcher in supervisor.launchers:
            launcher.dead = True
            for task in launcher.pool.tasks:
                task.kill()
    world.supervisors.pop(machine.name, None)
    machine.died = lambda: None
    machine.lose_power()
    faults.engine.after(lasts_s, partial(_back, faults, machine))


def _back(faults: Faults, machine: Machine) -> None:
    if not machine.on and machine.name not in faults.dead:
        boot(faults, machine)


def boot(faults: Faults, machine: Machine) -> None:
    machine.boot()
    faults.engine.here = machine
    faults.engine.note(f"boots: {machine.boot_id}")
    faults.world.start_worker_later(machine)


def freeze_machine(faults: Faults, machine: Machine) -> None:
    if not machine.on or machine.frozen:
        return
    lasts_s = faults.span_s(7200.0 if faults.rng.random() < 0.1 else None)
    until = faults.begin("machine frozen", "the machine freezes", lasts_s)
    machine.freeze(lasts_s)
    faults.engine.at(until, partial(_thaw, faults, machine, machine.boots))


def _thaw(faults: Faults, machine: Machine, boots: int) -> None:
    if machine.on and machine.boots == boots:
        supervisor = faults.world.supervisor(machine)
        if supervisor is not None:
            supervisor.turn_now()
        machine.thaw()


def kill_worker(faults: Faults, machine: Machine) -> None:
    worker = faults.world.workers.get(machine.name)
    if worker is None:
        return

    def strike() -> None:
        if faults.world.workers.get(machine.name) is worker:
            faults.engine.note("the worker is killed", machine.name)
            worker.kill()
            faults.world.start_worker_later(machine)

    faults.begin("worker killed", "the worker is to be killed")
    _strike(faults, worker, strike, faults.rng.choice(("", "claim", "claim", "renew", "move")))


def _strike(faults: Faults, worker: WorkerHost, strike: Callable[[], None], after: str) -> None:
    """Now, or at the worst instant: the server has done what was asked, the reply is out."""
    if faults.rng.random() < 0.3:
        strike()
    else:
        worker.client.ambush = (after, strike)


def kill_supervisor(faults: Faults, machine: Machine) -> None:
    supervisor = faults.world.supervisor(machine)
    if supervisor is not None and not machine.frozen:
        faults.begin("supervisor killed", "the supervisor is killed")
        supervisor.kill()


def kill_launcher(faults: Faults, machine: Machine) -> None:
    supervisor = faults.world.supervisor(machine)
    if supervisor is not None and supervisor.launchers and not machine.frozen:
        faults.begin("launcher killed", "the launcher is killed")
        supervisor.launchers[-1].end()


def freeze_worker(faults: Faults, machine: Machine) -> None:
    lasts_s = faults.span_s(7200.0 if faults.rng.random() < 0.1 else None)
    _freeze_worker(faults, machine, lasts_s, faults.rng.choice(("", "claim", "claim", "move")))


def _freeze_worker(faults: Faults, machine: Machine, lasts_s: float, after: str) -> None:
    worker = faults.world.workers.get(machine.name)
    if worker is None:
        return

    def strike() -> None:
        faults.last_until = max(faults.last_until, faults.engine.now + lasts_s)
        faults.engine.note(f"the worker freezes for {lasts_s:.0f} s", machine.name)
        worker.freeze(faults.engine.now + lasts_s)

    faults.begin("worker frozen", "the worker is to freeze", lasts_s)
    _strike(faults, worker, strike, after)


def silence(faults: Faults, machine: Machine) -> None:
    """The worker freezes between a renewal and its reply, and NFS hangs meanwhile."""
    lasts_s = faults.rng.uniform(100, 300)
    _freeze_worker(faults, machine, lasts_s, "renew")
    until = faults.begin("NFS hang", "NFS hangs", lasts_s + faults.rng.uniform(-20, 60))
    machine.view.hangs_until, machine.view.soft = until, False


def freeze_supervisor(faults: Faults, machine: Machine) -> None:
    supervisor = faults.world.supervisor(machine)
    if supervisor is not None:
        lasts_s = faults.rng.uniform(0.5, SUPERVISOR_FREEZE_S)
        until = faults.begin("supervisor frozen", "the supervisor freezes", lasts_s)
        supervisor.frozen_until = until
        if supervisor.beats.task is not None:
            supervisor.beats.task.frozen_until = until


def operator(faults: Faults, machine: Machine) -> None:
    worker = faults.world.workers.get(machine.name)
    if worker is not None and worker.mode is Mode.RUN:
        worker.mode = faults.rng.choice((Mode.HANDOVER, Mode.RELEASE, Mode.DRAIN))
        faults.begin("worker told to leave", f"the worker is told to {worker.mode.value}")
        worker.ring()
