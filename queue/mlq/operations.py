"""The writes of the store as values: an operation, and the move of a job.

A value can be sent twice and stays the same call, because its request id was drawn when it was
made; and several of them travel in one round trip.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from mlq import scripts
from mlq.lifecycle import ENDED, Event, State, sources, target

# The words of the life cycle, for the operations that need to compare or enter a state.
STATES: dict[str, Any] = {
    "good": State.FINISHED,
    "failed": State.FAILED,
    "waiting": State.DEFERRED,
    "ready": target(Event.PARENTS_ENDED),
    "refused": target(Event.PARENT_FAILED),
    "running": target(Event.CLAIM),
    "ended": dict.fromkeys(ENDED, True),
}


class Operation:
    """One call of a Lua operation; sent again, it is the same call.

    Args:
        name: of the operation.
        args: its arguments.
        request_id: by which the server knows it again; drawn here unless given, "" if it only
            reads.
    """

    __slots__ = ("args", "name", "request_id")

    def __init__(self, name: str, args: dict[str, Any], request_id: str | None = None) -> None:
        self.name, self.args = name, args
        self.request_id = os.urandom(16).hex() if request_id is None else request_id

    def command(self, *, whole: bool = False) -> tuple[str, ...]:
        """Return the Redis command, with the whole text of the operation or with its digest."""
        text = json.dumps(self.args, separators=(",", ":"))
        if whole:
            return ("EVAL", scripts.source(self.name), "0", self.request_id, text)
        return ("EVALSHA", scripts.sha1(self.name), "0", self.request_id, text)


class Move(NamedTuple):
    """An event that happens to a job.

    Args:
        id: the job.
        event: what happens; the table says where it leads.
        attempt: the attempt the caller speaks of; 0 for a job that is not running.
        fields: hash fields to set.
        clear: hash fields to drop.
        result: an entry for rq's result stream (`record.result_fields`).
        lost_on: the machine lost under the job; counts a loss and is avoided for a while.
        only: if given, the move is right only in these of the event's states.
        lease: the move is right only while the attempt's lease is still this one, unless "".
    """

    id: str
    event: Event
    attempt: int = 0
    fields: Mapping[str, str | int | float] = MappingProxyType({})
    clear: tuple[str, ...] = ()
    result: tuple[str | int, ...] = ()
    lost_on: str = ""
    only: tuple[State, ...] = ()
    lease: str = ""

    def as_args(self) -> dict[str, Any]:
        """Return the move as the Lua operation wants it."""
        return {
            "id": self.id,
            "attempt": self.attempt,
            "from": [state for state in sources(self.event) if not self.only or state in self.only],
            "to": target(self.event),
            "fields": [part for pair in self.fields.items() for part in pair],
            "clear": self.clear,
            "result": self.result,
            "lost_on": self.lost_on,
            "lease": self.lease,
        }


class Claimant(NamedTuple):
    """Who claims: the machine, its present boot and the supervisor that will hold the attempts."""

    machine: str
    boot_id: str
    supervisor_id: str
