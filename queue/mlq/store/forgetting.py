"""Forgetting a machine that is gone for good, as its user asks."""

from __future__ import annotations

from mlq.errors import InvalidInputError, QueueRefusedError
from mlq.store.operations import Operation
from mlq.store.store import Store
from mlq.units import format_duration


def forget_machine(store: Store, machine: str, quiet_s: float) -> None:
    """Forget a machine; if a worker starts there again, it is known again.

    Raises:
        InvalidInputError: there is no such machine.
        QueueRefusedError: it was heard within `quiet_s`, or jobs may still run there.
    """
    args = {"machine": machine, "quiet_s": quiet_s}
    (reply,) = store.runner.run(Operation("forget_machine", args))
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
