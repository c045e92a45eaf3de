"""What worker and supervisor say to each other, as frozen values, and their JSON.

The keys in JSON are a contract with processes of other versions: a worker meets supervisors of the
previous version. What supervisor and launcher say is in `launcher_messages`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mlq.jobs.attempt import AttemptId
from mlq_worker.ipc.shortage import Shortage, parse_shortage
from mlq_worker.ipc.values import (
    Held,
    Order,
    Outcome,
    Result,
    Started,
    from_json,
    to_json,
)

PROTOCOL = 2
CODE = "code"
"""A feature: a supervisor without it would run the live folder instead of an order's `code`."""
BATCH = "batch"
"""A feature: a supervisor without it would run neither scripts nor fill the user's files."""
GUEST = "guest"
"""A feature: a supervisor without it keeps no manners, and is told none."""
SIGNALS = "signals"
"""A feature: a supervisor without it would hang up on `Signal`."""
FEATURES = (CODE, BATCH, GUEST, SIGNALS)


def attempt_ids(pairs: Collection[Any]) -> tuple[AttemptId, ...]:
    """Return the attempts that stand in a message as pairs."""
    return tuple(AttemptId(str(job_id), int(number)) for job_id, number in pairs)


# --- the worker says ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hello:
    """A worker has connected; the supervisor answers with `Greeting`."""

    def to_json(self) -> dict[str, Any]:
        """Return it as it is sent."""
        return {"op": "hello", "protocol": PROTOCOL}


@dataclass(frozen=True, slots=True)
class Start:
    """Orders, given at the boot time `at`, if the message says it."""

    orders: tuple[Order, ...]
    at: float | None

    def to_json(self) -> dict[str, Any]:
        """Return it as it is sent."""
        return {"op": "start", "at": self.at, "orders": [to_json(one) for one in self.orders]}


@dataclass(frozen=True, slots=True)
class Stop:
    """An attempt is to end early; `shortage` of memory, if that is the reason."""

    attempt: AttemptId
    outcome: Outcome
    reason: str
    shortage: Shortage | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as it is sent; an older supervisor passes over the last field."""
        job_id, number = self.attempt
        end: dict[str, Any] = {"outcome": self.outcome, "reason": self.reason}
        if self.shortage is not None:
            end["shortage"] = self.shortage.as_json()
        return {"op": "stop", "id": job_id, "attempt": number, **end}


@dataclass(frozen=True, slots=True)
class Signal:
    """A user sends an attempt a signal: once, however often it is told with this `sequence`.

    `whom` as in `mlq.jobs.signals`.
    """

    attempt: AttemptId
    sequence: int
    number: int
    whom: str

    def to_json(self) -> dict[str, Any]:
        """Return it as it is sent."""
        job_id, number = self.attempt
        what = {"sequence": self.sequence, "number": self.number, "whom": self.whom}
        return {"op": "signal", "id": job_id, "attempt": number, **what}


@dataclass(frozen=True, slots=True)
class Confirm:
    """A renewal sent at the boot time `at` found which attempts are ours and which are lost.

    `displaced`: the queue says that the machine's name is another's.
    """

    at: float
    alive: tuple[AttemptId, ...]
    lost: tuple[AttemptId, ...]
    displaced: bool

    def to_json(self) -> dict[str, Any]:
        """Return it as it is sent; an older supervisor passes over the last field."""
        found = {"alive": self.alive, "lost": self.lost, "displaced": self.displaced}
        return {"op": "confirm", "at": self.at, **found}


@dataclass(frozen=True, slots=True)
class Forget:
    """The ends of these are committed; the jobs of those in `over` have ended for good."""

    attempts: tuple[AttemptId, ...]
    over: frozenset[AttemptId] = frozenset()

    def to_json(self) -> dict[str, Any]:
        """Return it as it is sent; an older supervisor passes over the last field."""
        return {"op": "forget", "attempts": self.attempts, "over": sorted(self.over)}


@dataclass(frozen=True, slots=True)
class Shutdown:
    """Leave when nothing is held."""

    def to_json(self) -> dict[str, Any]:
        """Return it as it is sent."""
        return {"op": "shutdown"}


@dataclass(frozen=True, slots=True)
class Manners:
    """The rules of a good guest from now on, in the form of `mlq_worker.guest.rules`."""

    rules: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return it as it is sent."""
        return {"op": "manners", "rules": dict(self.rules)}


WorkerMessage = Hello | Start | Stop | Signal | Confirm | Forget | Shutdown | Manners


def worker_message(raw: Mapping[str, Any]) -> WorkerMessage:
    """Return what the worker says.

    Raises:
        KeyError, TypeError, ValueError: it cannot be understood.
    """
    read = _WORKER_MESSAGES.get(raw["op"])
    if read is None:
        raise ValueError(f"no such operation: {raw['op']!r}")
    return read(raw)


def _start(raw: Mapping[str, Any]) -> Start:
    return Start(tuple(from_json(Order, one) for one in raw["orders"]), raw.get("at"))


def _stop(raw: Mapping[str, Any]) -> Stop:
    shortage = parse_shortage(raw.get("shortage"))
    return Stop(AttemptId(raw["id"], raw["attempt"]), raw["outcome"], raw["reason"], shortage)


def _signal(raw: Mapping[str, Any]) -> Signal:
    attempt = AttemptId(raw["id"], raw["attempt"])
    return Signal(attempt, raw["sequence"], raw["number"], raw["whom"])


def _confirm(raw: Mapping[str, Any]) -> Confirm:
    alive, lost = attempt_ids(raw["alive"]), attempt_ids(raw["lost"])
    return Confirm(raw["at"], alive, lost, raw.get("displaced", False))


def _forget(raw: Mapping[str, Any]) -> Forget:
    return Forget(attempt_ids(raw["attempts"]), frozenset(attempt_ids(raw.get("over", ()))))


_WORKER_MESSAGES: Mapping[str, Callable[[Mapping[str, Any]], WorkerMessage]] = {
    "hello": lambda _: Hello(),
    "start": _start,
    "stop": _stop,
    "signal": _signal,
    "confirm": _confirm,
    "forget": _forget,
    "shutdown": lambda _: Shutdown(),
    "manners": lambda raw: Manners(dict(raw["rules"])),
}


# --- the supervisor says to the worker ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Greeting:
    """Who the supervisor is, and all that it holds."""

    supervisor_id: str
    boot_id: str
    pid: int
    attempts: tuple[Held, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as it is sent."""
        return {
            "event": "hello",
            "protocol": PROTOCOL,
            "features": FEATURES,
            "supervisor_id": self.supervisor_id,
            "boot_id": self.boot_id,
            "pid": self.pid,
            "attempts": [to_json(one) for one in self.attempts],
        }


@dataclass(frozen=True, slots=True)
class HaveStarted:
    """These run."""

    attempts: tuple[Started, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as it is sent."""
        return {"event": "started", "attempts": [to_json(one) for one in self.attempts]}


@dataclass(frozen=True, slots=True)
class HaveEnded:
    """These have ended."""

    results: tuple[Result, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as it is sent."""
        return {"event": "ended", "results": [to_json(one) for one in self.results]}


@dataclass(frozen=True, slots=True)
class HaveSignaled:
    """The last signal of its user that each of these attempts was given, by its sequence."""

    signals: tuple[tuple[AttemptId, int], ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as it is sent; an older worker passes over it."""
        return {"event": "signaled", "signals": [[*one, last] for one, last in self.signals]}


@dataclass(frozen=True, slots=True)
class ContactNews:
    """For how long each channel has been silent, and what is wrong with NFS; "" if nothing is."""

    redis_silence_s: float
    nfs_silence_s: float
    paused: bool
    nfs_error: str
    wrong_root: str

    def to_json(self) -> dict[str, Any]:
        """Return it as it is sent."""
        return {
            "event": "contact",
            "redis_silence_s": round(self.redis_silence_s, 3),
            "nfs_silence_s": round(self.nfs_silence_s, 3),
            "paused": self.paused,
            "nfs_error": self.nfs_error,
            "wrong_root": self.wrong_root,
        }


class Restraint(NamedTuple):
    """How an attempt is held back now.

    Args:
        attempt: job id and attempt number.
        paused_by: the reasons, in the words of `mlq_worker.guest.watch.PauseReason`.
        words: the first of them for people: `somebody is at the desk`.
        cores_now: to how many cores it is squeezed; None: it is not.
    """

    attempt: AttemptId
    paused_by: tuple[str, ...] = ()
    words: str = ""
    cores_now: int | None = None


@dataclass(frozen=True, slots=True)
class GuestNews:
    """What the manners of a guest make of this machine; told at each change and to a new worker.

    Args:
        restrained: the attempts that are held back; all others are not.
        notes: for the machine's NOTE.
        closed: why no job may start; "" if one may.
        facts: for `mlq doctor`, by line.
    """

    restrained: tuple[Restraint, ...] = ()
    notes: tuple[str, ...] = ()
    closed: str = ""
    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return it as it is sent."""
        return {
            "event": "guest",
            "restrained": [
                [*one.attempt, one.paused_by, one.words, one.cores_now] for one in self.restrained
            ],
            "notes": self.notes,
            "closed": self.closed,
            "facts": {name: dict(facts) for name, facts in self.facts.items()},
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> GuestNews:
        """Return what `to_json` made this of."""
        restrained = tuple(
            Restraint(AttemptId(job_id, number), tuple(paused_by), words, cores_now)
            for job_id, number, paused_by, words, cores_now in raw["restrained"]
        )
        return cls(restrained, tuple(raw["notes"]), raw["closed"], raw["facts"])


SupervisorMessage = Greeting | HaveStarted | HaveEnded | HaveSignaled | ContactNews | GuestNews
