"""Which worker has a machine's name: one worker at a time, and never two machines.

mlq knows a machine's leases, beat and running jobs by the machine's name. If two workers had one
name, each would take the other's jobs for jobs that it lost. So the queue records which worker has
the name, and a worker identifies itself with everything it sends (`held_by`).
`mlq_worker.liveness.names` decides when another worker may take the name.
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
        host: the host's own name, for people.
        pid: the process.
        pid_start: its start in clock ticks since boot, because pids are reused.
        pid_ns: the namespace of the pid: each container has its own.
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
    """The worker that has a machine's name, as recorded in the queue.

    Args:
        who: the worker; its `worker` is "" if it left, holding nothing.
        since_s: since when it has the name, unix time.
        renewed: when it was last heard, in text that changes each time.
        age_s: how long ago that is, on the server's clock.
    """

    who: WorkerIdentity
    since_s: float
    renewed: str
    age_s: float

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> NameHolder:
        """Read the operations' reply."""
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
        """Return the error for a second worker that wants the name."""
        who = self.who
        return MachineNameError(
            f"another worker holds the machine name {who.machine}",
            why=f"process {who.pid} on host {who.host}, since {utc_iso(self.since_s)}",
            fix="give this machine a name of its own (MLQ_MACHINE, or machine in config.toml), or "
            f"stop that worker; if {who.host} is gone for good, its name is free once neither its "
            "worker nor its beat was heard for dead_s",
        )
