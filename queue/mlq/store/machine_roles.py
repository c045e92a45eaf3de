"""What machines say of themselves, and the roles and names that only one can hold at a time.

Nothing here is about a job. A machine takes and keeps a role by asking for it, and loses it by no
longer asking; so does a worker with its machine's name.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mlq.errors import InvalidInputError, QueueRefusedError
from mlq.store.operations import Operation
from mlq.store.sending import ScriptRunner
from mlq.units import format_duration

if TYPE_CHECKING:
    from mlq.store.machine_names import NameHolder, WorkerIdentity

MACHINE_RECORD_TTL_S = 30 * 86400
RQ_WORKER_TTL_S = 600


class MachineRoles:
    """What machines publish, and the roles and names that they hold.

    Args:
        runner: sends the operations.
    """

    def __init__(self, runner: ScriptRunner) -> None:
        self._runner = runner
        # Role -> the holder's last text, and since when it has been the same, by the caller's
        # clock.
        self._shown: dict[str, tuple[str, float]] = {}

    def hold_role(self, role: str, machine: str, ttl_s: float, clock_s: float | None = None) -> str:
        """Take or keep a role that one machine has at a time; return the machine that has it.

        Args:
            role: its name.
            machine: who asks.
            ttl_s: after so long without a request by its holder, the role is free.
            clock_s: a monotonic clock of the caller. With it, the role is also free when this store
                has seen it unchanged for `ttl_s`: the server's clock, by which the role expires,
                may have been set back.
        """
        shown, since_s = self._shown.get(role, ("", 0.0))
        silent = clock_s is not None and shown and clock_s - since_s >= ttl_s
        args = {"role": role, "machine": machine, "ttl_s": ttl_s}
        args["instead_of"] = shown if silent else ""
        (reply,) = self._runner.run(Operation("hold_role", args))
        if clock_s is not None and reply["shown"] != shown:
            self._shown[role] = (reply["shown"], clock_s)
        return str(reply["holder"])

    def name_holder(self, machine: str) -> NameHolder | None:
        """Return which worker has a machine's name; None if the queue knows of none."""
        from mlq.store.machine_names import NameHolder

        (reply,) = self._runner.run(Operation("name_holder", {"machine": machine}))
        return NameHolder.of(reply["holder"]) if "worker" in reply["holder"] else None

    def hold_name(self, who: WorkerIdentity, expected: NameHolder | None) -> NameHolder:
        """Take a machine's name if its holder is still `expected`; return its holder now."""
        from mlq.store.machine_names import NameHolder

        args: dict[str, Any] = {"record": who._asdict()}
        if expected is not None:
            args["expected"] = {"worker": expected.who.worker, "renewed": expected.renewed}
        (reply,) = self._runner.run(Operation("hold_name", args))
        return NameHolder.of(reply["holder"])

    def release_name(self, who: WorkerIdentity) -> None:
        """Give a machine's name up: the worker leaves and holds nothing."""
        args = {"machine": who.machine, "worker": who.worker}
        self._runner.run(Operation("release_name", args))

    def record_machine(
        self,
        machine: str,
        record: dict[str, Any],
        rq_worker: dict[str, str],
        ttl_s: float = MACHINE_RECORD_TTL_S,
    ) -> None:
        """Publish what a machine says of itself, for `mlq machines` and for `rq info`.

        Args:
            machine: its name.
            record: anything JSON.
            rq_worker: the fields of a stock rq worker hash.
            ttl_s: after so long without news, the machine leaves the list.
        """
        args = {
            "machine": machine,
            "record": json.dumps(record),
            "rq_worker": [part for pair in rq_worker.items() for part in pair],
            "ttl_s": int(ttl_s),
            "rq_ttl_s": RQ_WORKER_TTL_S,
        }
        self._runner.run(Operation("record_machine", args))

    def show_people(self, machine: str, people: list[dict[str, Any]], ttl_s: float) -> None:
        """Publish who holds and wants what on a machine now.

        Args:
            machine: its name.
            people: anything JSON.
            ttl_s: after so long without news, it is forgotten.
        """
        args = {"machine": machine, "people": json.dumps(people), "ttl_s": max(1, int(ttl_s))}
        self._runner.run(Operation("show_people", args))

    def record_sightings(self, sightings: dict[str, dict[str, Any]], ttl_s: float) -> None:
        """Publish what the reaper saw on NFS of silent machines; without news it expires."""
        args = {"sightings": json.dumps(sightings), "ttl_s": ttl_s}
        self._runner.run(Operation("record_sightings", args))

    def forget_machine(self, machine: str, quiet_s: float) -> None:
        """Forget a machine that is gone for good; a worker that starts there makes it known again.

        Raises:
            InvalidInputError: there is no such machine.
            QueueRefusedError: it was heard within `quiet_s` seconds, or jobs may still run there.
        """
        args = {"machine": machine, "quiet_s": quiet_s}
        (reply,) = self._runner.run(Operation("forget_machine", args))
        if reply["forgotten"]:
            return
        if reply["heard_s"] < 0:
            raise InvalidInputError(f"there is no machine {machine}", fix="see: mlq machines")
        if reply["holds"]:
            why = "jobs of the queue may still run there"
            fix = "once it is known to be dead, they are queued again, and it can be forgotten"
        else:
            why = f"it was heard {format_duration(max(0, int(reply['heard_s'])))} ago"
            fix = "stop its worker first: mlq worker stop"
        raise QueueRefusedError(f"machine {machine} is not forgotten", why=why, fix=fix)
