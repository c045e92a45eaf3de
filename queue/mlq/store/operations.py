"""The writes of the store as values: an operation, and the move of a job.

An operation that is sent twice is still one call, because its request id was chosen when it was
made; and several operations can travel in one round trip.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from mlq.jobs.lifecycle import Event, State, sources, target
from mlq.store.signatures import SIGNATURES
from mlq.units import utc_iso

if TYPE_CHECKING:
    from mlq.store.machine_names import WorkerIdentity


class Operation:
    """One call of a Lua operation; sent again, it is the same call.

    Args:
        name: of the operation.
        args: its arguments, as `signatures` declares them.
    """

    __slots__ = ("args", "name", "request_id")

    def __init__(self, name: str, args: dict[str, Any]) -> None:
        signature = SIGNATURES[name]
        if not signature.takes(args):
            raise TypeError(f"the operation {name} does not take {sorted(args)}")
        self.name, self.args = name, args
        # The server recognizes the call by this id.
        self.request_id = os.urandom(16).hex() if signature.once else ""

    def command(
        self, sha1: str, queue_id: str = "", held_by: WorkerIdentity | None = None
    ) -> tuple[str, ...]:
        """Return the Redis command.

        Args:
            sha1: the name by which the server knows the operation's script.
            queue_id: of the only queue in which it may be done; "": in any.
            held_by: the worker that sends it, which must hold its machine's name.
        """
        args = {**self.args, "queue_id": queue_id} if queue_id else self.args
        if held_by is not None:
            args = {**args, "held_by": held_by._asdict()}
        text = json.dumps(args, separators=(",", ":"))
        return ("EVALSHA", sha1, "0", self.request_id, text)


class NewText(NamedTuple):
    """The signed text that a job has from now on, as `edit` and `move` store it.

    Args:
        args: its class, template, spec and fields, and which fields to clear.
        templates: digest -> JSON of the template that it has, if it has one.
    """

    args: Mapping[str, Any]
    templates: Mapping[str, str]


class Growth(NamedTuple):
    """The wish of a job that ran out of memory to ask for more when it is tried again.

    Args:
        of_gpu: whether memory of its GPUs is meant.
        had_mib: what it was given; 0 if that is not known.
        wanted_mib: what it should ask for.
        which: which try it is, for people: "1 of 2".
        machine: where it ran out.
        otherwise: the move to make if no machine has more.
    """

    of_gpu: bool
    had_mib: int
    wanted_mib: int
    which: str
    machine: str
    otherwise: Move


class Move(NamedTuple):
    """An event that happens to a job.

    Args:
        id: the job.
        event: what happens; the table says where it leads.
        attempt: the attempt the caller speaks of; 0 for a job that is not running.
        fields: hash fields to set.
        clear: hash fields to drop.
        result: an entry for rq's result stream (`record.result_fields`).
        lost_on: the machine lost under the job; counts a loss.
        avoid: the machine that lets other machines take the job first; "" for none.
        pause_s: after how long the job is due, if it is to be tried again later.
        only: if given, the move is valid only in these of the event's states.
        lease: unless "", the move is valid only while this is still the attempt's lease.
        machine: unless "", the move is valid only if the attempt runs on this machine by what the
            queue knows. One that was restored from a backup may have given the attempt's number out
            again.
        job_class: the name of the class the job belongs to from now on; "" leaves it where it is.
        signature: unless "", the move is valid only for the job with this signature. A queue that
            has forgotten a job may give its number to another.
        start: how the attempt started, "good" or "bad"; "" if that is not known.
        having: a hash field that the job must have for the move to be valid; "" for none.
        learned: what is to be remembered of a finished run (`mlq.jobs.past.Run`); "" for nothing.
        text: the signed text that the job has from now on; None leaves it as it is.
        growth: more memory that it should ask for; `mlq_worker.agent.growth` makes a text of it.
    """

    id: str
    event: Event
    attempt: int = 0
    fields: Mapping[str, str | int | float] = MappingProxyType({})
    clear: tuple[str, ...] = ()
    result: tuple[str | int, ...] = ()
    lost_on: str = ""
    avoid: str = ""
    pause_s: float = 0
    only: tuple[State, ...] = ()
    lease: str = ""
    machine: str = ""
    job_class: str = ""
    signature: str = ""
    start: str = ""
    having: str = ""
    learned: str = ""
    text: NewText | None = None
    growth: Growth | None = None

    def as_args(self) -> dict[str, Any]:
        """Return the move as the Lua operation wants it."""
        args = self._plain_args()
        return args if self.text is None else {**args, "text": self.text.args}

    def _plain_args(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "attempt": self.attempt,
            "from": [state for state in sources(self.event) if not self.only or state in self.only],
            "to": target(self.event),
            "fields": [part for pair in self.fields.items() for part in pair],
            "clear": self.clear,
            "result": self.result,
            "lost_on": self.lost_on,
            "avoid": self.avoid,
            "pause_s": self.pause_s,
            "lease": self.lease,
            "machine": self.machine,
            "class": self.job_class,
            "signature": self.signature,
            "start": self.start,
            "having": self.having,
            "learned": self.learned,
        }


class Claimant(NamedTuple):
    """The claimant: the machine, its boot and the supervisor that will hold the attempts."""

    machine: str
    boot_id: str
    supervisor_id: str

    def as_args(self, now_s: float) -> dict[str, Any]:
        """Return the claimant as the Lua operations want it; `now_s` is for the record only."""
        return {
            "machine": self.machine,
            "worker": self.machine,
            "boot_id": self.boot_id,
            "supervisor_id": self.supervisor_id,
            "at": utc_iso(now_s),
            "at_unix": now_s,
        }


def claim_operation(
    fits: Iterable[tuple[str, int]],
    who: Claimant,
    lease_s: float,
    now_s: float,
    only: Iterable[str] | None = None,
    lacks: Mapping[str, Iterable[str]] = MappingProxyType({}),
) -> Operation:
    """Return the operation that claims the best waiting jobs among the classes that fit.

    Args:
        fits: names of classes, and how many jobs of each fit the machine alone.
        who: the claimant.
        lease_s: how long the lease runs on the server's clock if it is not renewed.
        now_s: unix time, for the record only.
        only: the jobs that may be claimed; None: any.
        lacks: class -> words (`mlq.jobs.needs`) for what the machine lacks and another may have.
    """
    args = {
        **who.as_args(now_s),
        "fits": list(fits),
        "lease_s": lease_s,
        "lacks": {name: dict.fromkeys(words, True) for name, words in lacks.items() if words},
    }
    if only is not None:
        args["only"] = dict.fromkeys(only, True)
    return Operation("claim", args)


def soon_gone(claim: Operation, left_s: float | None) -> Operation:
    """Return the claim of a machine that is there for so many seconds only; None: no end is known.

    It claims no job with a longer time limit.
    """
    return claim if left_s is None else Operation("claim", {**claim.args, "left_s": left_s})


def tell_operation(now_s: float) -> Operation:
    """Return the operation that goes on telling dependents of ended jobs."""
    return Operation("tell", {"at": utc_iso(now_s)})


def move_operation(moves: Iterable[Move], now_s: float, avoid_s: float = 0) -> Operation:
    """Return the operation that makes these moves.

    Args:
        moves: the moves.
        now_s: unix time, for the record only.
        avoid_s: for how long a machine that a job avoids lets others go first.
    """
    listed = list(moves)
    args = {"moves": [one.as_args() for one in listed], "at": utc_iso(now_s), "avoid_s": avoid_s}
    texts = [one.text.templates for one in listed if one.text is not None]
    if texts:
        args["templates"] = {
            digest: one for templates in texts for digest, one in templates.items()
        }
    return Operation("move", args)
