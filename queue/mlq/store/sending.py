"""Sends operations to the queue's server, and waits until their writes are durable.

A restarted server knows no scripts; they are sent when it says so. Several operations go in one
round trip, and the caller can wait until the server has them on its disk.

A worker names its queue with everything it sends: the server may come back with other data at any
moment, in which this queue's attempts mean nothing. The worker also identifies itself as the holder
of its machine's name.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

from mlq.errors import (
    EmptiedQueueError,
    OtherQueueError,
    QueueRefusedError,
    QueueUnreachableError,
)
from mlq.store import scripts as shipped
from mlq.store.client import Client, ScriptMissingError
from mlq.store.operations import Operation

if TYPE_CHECKING:
    from mlq.errors import MachineNameError
    from mlq.store.machine_names import WorkerIdentity

_DISK_MS = 3000
_OTHER_QUEUE = "OTHERQUEUE"  # the scripts' refusals begin with these; see _prelude.lua
_OTHER_WORKER = "OTHERWORKER"


class Scripts(Protocol):
    """The operations as the server gets them; `mlq.store.scripts` is the real thing."""

    def source(self, name: str, /) -> str:
        """Return the whole text of an operation."""

    def sha1(self, name: str, /) -> str:
        """Return the name under which the server keeps the operation."""


class ScriptRunner:
    """Sends operations over one client.

    Args:
        client: the client.
        queue_id: of the intended queue; "": any queue that answers.
        held_by: the worker that sends; None: the caller is no machine's worker.
        scripts: the operations.

    Every call may raise `OtherQueueError`, if another queue answers, and `MachineNameError`, if
    another worker holds the name of this one's machine.
    """

    def __init__(
        self,
        client: Client,
        queue_id: str = "",
        held_by: WorkerIdentity | None = None,
        scripts: Scripts = shipped,
    ) -> None:
        self.client, self._scripts = client, scripts
        self.queue_id, self.held_by = queue_id, held_by
        self._waits_for_disk: bool | None = None

    def run(self, *operations: Operation, then: tuple[str | int, ...] = ()) -> list[Any]:
        """Run operations, and `then` a command, in one round trip and return their replies."""
        commands: list[tuple[str | int, ...]] = [
            one.command(self._scripts.sha1(one.name), self.queue_id, self.held_by)
            for one in operations
        ]
        if then:
            commands.append(then)
        try:
            replies = self._replies(operations, commands)
        except QueueRefusedError as error:
            if error.why.startswith(_OTHER_QUEUE):
                raise other_queue(error.why.removeprefix(_OTHER_QUEUE).strip()) from None
            if error.why.startswith(_OTHER_WORKER):
                raise name_taken(json.loads(error.why.removeprefix(_OTHER_WORKER))) from None
            raise
        # An altered job may hold any bytes; its signature check refuses it later, not this code.
        last = replies[len(operations) :]
        replies = replies[: len(operations)]
        return [*(json.loads(reply.decode(errors="replace")) for reply in replies), *last]

    def _replies(
        self, operations: tuple[Operation, ...], commands: list[tuple[str | int, ...]]
    ) -> list[Any]:
        try:
            return self.client.call_many(commands)
        except ScriptMissingError:
            names = {operation.name for operation in operations}
            source = self._scripts.source
            self.client.call_many([("SCRIPT", "LOAD", source(name)) for name in names])
            return self.client.call_many(commands)

    def run_on_disk(self, *operations: Operation) -> list[dict[str, Any]]:
        """Run operations and return their replies once what they wrote is on the server's disk.

        A worker must not act on a claim until it is durable: if the queue host loses power and
        forgets it, another machine could be given the same job while it runs here. With
        `appendfsync always` this takes no time; with `everysec` it takes up to a second. Servers
        before Redis 7.2 cannot report it, and are always started with `always`: their reply itself
        proves it.

        Raises:
            QueueUnreachableError: the writes are not on the disk after some seconds.
        """
        if self._waits_for_disk is None:
            self._waits_for_disk = self._can_wait_for_disk()
        if not self._waits_for_disk:
            return self.run(*operations)
        # WAITAOF goes in one round trip with the operations: a client that resends it after the
        # server has restarted must resend them, too.
        replies = self.run(*operations, then=("WAITAOF", 1, 0, _DISK_MS))
        flushed, _ = replies.pop()
        if not flushed:
            raise QueueUnreachableError(
                "the queue's server did not write to its disk in time",
                why="its disk is very slow or full",
                fix="look at it with: mlq server status",
            )
        return replies

    def _can_wait_for_disk(self) -> bool:
        try:
            self.client.call("WAITAOF", 0, 0, 0)
        except QueueRefusedError:
            return False
        return True


def other_queue(found: str) -> OtherQueueError:
    """Return the error for a server whose data are not this queue's.

    Args:
        found: the id of the queue in the data; "" if there is none.
    """
    fix = (
        "start it on the right folder (XDG_DATA_HOME, MLQ_SERVER_DIR), "
        "or rebuild the queue from the results root: mlq server restore"
    )
    if not found:
        return EmptiedQueueError("the queue's server has lost its data: it knows no queue", fix=fix)
    return OtherQueueError(
        "the queue's server has other data", why=f"it says that it is queue {found}", fix=fix
    )


def name_taken(holder: dict[str, Any]) -> MachineNameError:
    """Return the error for a worker whose machine's name another worker holds."""
    from mlq.store.machine_names import NameHolder

    return NameHolder.of(holder).refusal()
