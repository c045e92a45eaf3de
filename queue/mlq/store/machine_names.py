"""Whose a machine's name is: one worker's at a time, and two machines are never given one name.

All that mlq knows of a machine goes by its name: its leases, its beat, what it runs. With two
workers of one name each takes the other's jobs for what it lost. So the queue keeps who has the
name, and a worker names itself with everything it sends (`held_by`). When another may take it is
decided in `mlq_worker.liveness.names`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from mlq.errors import MachineNameError
from mlq.lenient import finite_or_zero, int_or
from mlq.units import utc_iso


class WorkerIdentity(NamedTuple):
    """A worker's process, on its host and boot.

    Args:
        machine: the name of its machine in the queue.
        worker: of this process alone.
        host_id: of the host, the same after a reboot (`mlq_worker.agent.host_id`).
        boot_id: of the boot.
        host: what the host calls itself, for people.
        pid: the process.
        pid_start: its start in clock ticks since boot, since numbers are used again.
        pid_ns: where that number counts: of two containers each has its own.
    """

    machine: str
    worker: str
    host_id: str
    boot_id: str
    host: str
    pid: int = 0
    pid_start: int = 0
    pid_ns: str = ""


class NameHolder(NamedTuple):
    """Who has a machine's name, as the queue has it.

    Args:
        who: the worker; its `worker` is "" if it left, holding nothing.
        since_s: unix time since when.
        renewed: when it was last heard, in text that changes each time.
        age_s: how long ago that is, on the server's clock.
    """

    who: WorkerIdentity
    since_s: float
    renewed: str
    age_s: float

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> NameHolder:
        """Read what the operations reply."""
        words = ("machine", "worker", "host_id", "boot_id", "host", "pid_ns")
        machine, worker, host_id, boot_id, host, pid_ns = (str(raw.get(one, "")) for one in words)
        pid, pid_start = int_or(raw.get("pid")), int_or(raw.get("pid_start"))
        who = WorkerIdentity(machine, worker, host_id, boot_id, host, pid, pid_start, pid_ns)
        since_s, age_s = finite_or_zero(raw.get("since")), finite_or_zero(raw.get("age_s"))
        return cls(who, since_s, str(raw.get("renewed", "")), age_s)

    @property
    def left(self) -> bool:
        """Whether it gave the name up."""
        return not self.who.worker

    def refusal(self) -> MachineNameError:
        """Return the error of a worker that wants the name, too."""
        who = self.who
        return MachineNameError(
            f"another worker holds the machine name {who.machine}",
            why=f"process {who.pid} on host {who.host}, since {utc_iso(self.since_s)}",
            fix="give this machine a name of its own (MLQ_MACHINE, or machine in config.toml), or "
            f"stop that worker; if {who.host} is gone for good, its name is free once neither its "
            "worker nor its beat was heard for dead_s",
        )
