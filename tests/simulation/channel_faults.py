"""The two channels of a machine, its link to the queue and NFS, are cut, slow, failing or lying."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from simulation.machine import Machine

if TYPE_CHECKING:
    from simulation.faults import Faults


def cut_tunnel(faults: Faults, machine: Machine) -> None:
    who = faults.rng.choice((machine, machine, machine, faults.world.user.laptop))
    until = faults.begin("tunnel cut", f"the tunnel of {who.name} is cut", faults.span_s())
    _cut(faults, who, until)


def _cut(faults: Faults, machine: Machine, until: float) -> None:
    machine.link.cut_until = max(machine.link.cut_until, until)
    worker = faults.world.workers.get(machine.name)
    if worker is not None:
        noticed_s = faults.rng.choice((0.1, faults.rng.uniform(1, 60)))
        faults.engine.after(noticed_s, worker.unsubscribe)


def nfs_hang(faults: Faults, machine: Machine) -> None:
    who = faults.rng.choice(([machine], [machine], faults.world.machines))
    kind = "NFS hangs everywhere" if len(who) > 1 else "NFS hangs"
    until = faults.begin("NFS hang", kind, faults.span_s())
    for one in who:
        one.view.hangs_until = max(one.view.hangs_until, until)
        one.view.soft = faults.rng.random() < 0.3


def nfs_errors(faults: Faults, machine: Machine) -> None:
    who = faults.rng.choice(([machine], faults.world.machines))
    error = faults.rng.choice((errno.EIO, errno.ESTALE, errno.EDQUOT))
    until = faults.begin("NFS errors", f"NFS fails with {errno.errorcode[error]}", faults.span_s())
    for one in who:
        one.view.fails_until, one.view.error = until, error


def nfs_delay(faults: Faults, machine: Machine) -> None:
    until = faults.begin("NFS stale", "NFS shows what is old", faults.span_s())
    machine.view.stale_until = until
    machine.view.staleness_s = faults.rng.uniform(3, 20)


def cut_both(faults: Faults, machine: Machine) -> None:
    lasts_s = faults.span_s()
    until = faults.begin("both channels cut", "tunnel and NFS are cut", lasts_s)
    _cut(faults, machine, until + faults.rng.choice((10, 100)) * faults.rng.uniform(-1, 1))
    machine.view.hangs_until = max(machine.view.hangs_until, until)
    faults.last_until = max(faults.last_until, until + 100)


def split(faults: Faults, machine: Machine) -> None:
    """Each side is left with one channel: the reaper with the queue, the machine with NFS."""
    until = faults.begin("split", "its tunnel is cut, and NFS fails all others", faults.span_s())
    _cut(faults, machine, until)
    for other in faults.world.machines:
        if other is not machine:
            other.view.fails_until, other.view.error = until, errno.EIO


def late_evidence(faults: Faults, machine: Machine) -> None:
    """Both channels are back while the reaper, whose NFS is slow, reads what it was before."""
    lasts_s = faults.rng.uniform(88, 115)  # about when the verdict is due
    until = faults.begin("late evidence", "tunnel and NFS are cut, and NFS is slow", lasts_s)
    _cut(faults, machine, until)
    machine.view.hangs_until, machine.view.soft = until, False
    for other in faults.world.machines:
        if other is not machine:
            other.view.slow_until, other.view.slow_s = until + 30, faults.rng.uniform(1, 4)


def lossy_link(faults: Faults, machine: Machine) -> None:
    who = faults.rng.choice((machine, machine, faults.world.user.laptop))
    until = faults.begin("replies lost", f"the link of {who.name} loses replies", faults.span_s())
    who.link.loses_until = until


def slow_link(faults: Faults, machine: Machine) -> None:
    machine.link.slow_until = faults.begin("slow link", "the link is slow", faults.span_s())
