"""A pool: pilots of one shape on one system, and all that its managers must agree on.

A pool is one text in the queue. Whoever changes it says which text it read, and the queue refuses
the change if that is no longer the present one (`mlq.store.pilots`). So two managers never start
more pilots than the pool may have, and one that is started again goes on with what is there.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Literal, NamedTuple, cast, get_args

from mlq.errors import QueueRefusedError
from mlq.lenient import finite_or_zero, int_or

System = Literal["slurm", "pbs", "condor"]
PilotState = Literal["submitting", "waiting", "running", "ended"]
SYSTEMS: tuple[System, ...] = get_args(System)

FAILS = 3
"""So many starts in a row that failed pause a pool."""
ENDED_KEPT = 20
"""So many ended pilots stay listed."""


class Pilot(NamedTuple):
    """One pilot.

    Args:
        name: of its job in the system; no other pilot ever has it.
        state: `submitting` until the system's answer is known.
        job: its id in the system; "" while that is not known.
        since_s: unix time of its state, by the queue's clock.
        is_seen: whether its worker was ever seen in the queue.
        has_worked: whether it was ever seen to run a job.
        reason: why it ended, if its worker never was.
    """

    name: str
    state: PilotState = "submitting"
    job: str = ""
    since_s: float = 0.0
    is_seen: bool = False
    reason: str = ""
    has_worked: bool = False


class Pool(NamedTuple):
    """A pool.

    Args:
        id: a few hex digits, of what follows up to `time_s`.
        system: whose jobs its pilots are.
        via: the host where the system's commands are run, as typed after `ssh`; "" for here.
        args: options for the system, as typed.
        time_s: how long a pilot lasts.
        most: how many may exist at once.
        queued: how many of them may be without a worker yet.
        idle_s: after so long without jobs a pilot ends.
        after_s: jobs wait so long before a pilot is submitted for them.
        is_stopped: whether no pilot is submitted any more, and its managers end.
        paused: why no pilot is submitted; "" if some are.
        failed: how many starts in a row have failed.
        not_before_s: unix time before which none is submitted.
        pilots: all that have not ended, and the last that have.
    """

    id: str
    system: System
    via: str
    args: tuple[str, ...]
    time_s: float
    most: int = 1
    queued: int = 1
    idle_s: float = 300.0
    after_s: float = 60.0
    is_stopped: bool = False
    paused: str = ""
    failed: int = 0
    not_before_s: float = 0.0
    pilots: tuple[Pilot, ...] = ()

    @property
    def prefix(self) -> str:
        """What the names of its pilots begin with."""
        return f"mlq-{self.id}-"

    @property
    def living(self) -> list[Pilot]:
        """The pilots that have not ended."""
        return [one for one in self.pilots if one.state != "ended"]

    def text(self) -> str:
        """Return the pool as one JSON text."""
        pilots = [one._asdict() for one in self.pilots]
        return json.dumps({**self._asdict(), "pilots": pilots}, sort_keys=True)


def pool_id(system: str, via: str, args: tuple[str, ...], time_s: float) -> str:
    """Return the id of the pool of this shape; short, for names in old PBS have 15 characters."""
    told = json.dumps([system, via, args, time_s])
    return hashlib.sha256(told.encode()).hexdigest()[:4]


def read_pool(text: str) -> Pool:
    """Return what `Pool.text` wrote.

    Raises:
        QueueRefusedError: it is no pool, or one of another version of mlq.
    """
    try:
        raw = json.loads(text)
        if raw["system"] not in SYSTEMS:
            raise ValueError
        return Pool(
            id=str(raw["id"]),
            system=raw["system"],
            via=str(raw["via"]),
            args=tuple(str(one) for one in raw["args"]),
            time_s=finite_or_zero(raw["time_s"]),
            most=int_or(raw["most"]),
            queued=int_or(raw["queued"]),
            idle_s=finite_or_zero(raw["idle_s"]),
            after_s=finite_or_zero(raw["after_s"]),
            is_stopped=raw["is_stopped"] is True,
            paused=str(raw["paused"]),
            failed=int_or(raw["failed"]),
            not_before_s=finite_or_zero(raw["not_before_s"]),
            pilots=tuple(_pilot(one) for one in raw["pilots"]),
        )
    except (ValueError, TypeError, KeyError):
        raise QueueRefusedError(
            "a pool of pilots cannot be read", why=f"the queue holds {text[:80]!r}"
        ) from None


def _pilot(raw: Any) -> Pilot:
    if raw["state"] not in get_args(PilotState):
        raise ValueError
    return Pilot(
        str(raw["name"]),
        cast("PilotState", raw["state"]),
        str(raw["job"]),
        finite_or_zero(raw["since_s"]),
        raw["is_seen"] is True,
        str(raw["reason"]),
        raw["has_worked"] is True,
    )
