"""The messages of the supervisor's three conversations, as frozen values, and their JSON.

Worker to supervisor, supervisor to worker, and supervisor and launcher in both directions; the last
name many attempts at once. The keys in JSON are a contract with processes of other versions: a
worker meets supervisors of the previous version, and a supervisor may start a newer launcher.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from mlq.jobs.attempt import AttemptId
from mlq_worker.ipc.values import (
    Held,
    Order,
    Outcome,
    Result,
    Started,
    Termination,
    from_json,
    to_json,
)

PROTOCOL = 2
CODE = "code"
"""A feature: a supervisor without it would run the live folder instead of an order's `code`."""
BATCH = "batch"
"""A feature: a supervisor without it would run neither scripts nor fill the user's files."""
FEATURES = (CODE, BATCH)


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
    """An attempt is to end early."""

    attempt: AttemptId
    outcome: Outcome
    reason: str

    def to_json(self) -> dict[str, Any]:
        """Return it as it is sent."""
        job_id, number = self.attempt
        end = {"outcome": self.outcome, "reason": self.reason}
        return {"op": "stop", "id": job_id, "attempt": number, **end}


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


WorkerMessage = Hello | Start | Stop | Confirm | Forget | Shutdown


def worker_message(raw: Mapping[str, Any]) -> WorkerMessage:
    """Return what the worker says.

    Raises:
        KeyError, TypeError, ValueError: it cannot be understood.
    """
    match raw["op"]:
        case "hello":
            return Hello()
        case "start":
            return Start(tuple(from_json(Order, one) for one in raw["orders"]), raw.get("at"))
        case "stop":
            attempt = AttemptId(raw["id"], raw["attempt"])
            return Stop(attempt, raw["outcome"], raw["reason"])
        case "confirm":
            alive, lost = attempt_ids(raw["alive"]), attempt_ids(raw["lost"])
            return Confirm(raw["at"], alive, lost, raw.get("displaced", False))
        case "forget":
            over = frozenset(attempt_ids(raw.get("over", ())))
            return Forget(attempt_ids(raw["attempts"]), over)
        case "shutdown":
            return Shutdown()
        case other:
            raise ValueError(f"no such operation: {other!r}")


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


SupervisorMessage = Greeting | HaveStarted | HaveEnded | ContactNews


# --- supervisor and launcher ----------------------------------------------------------------------


class Spawn(NamedTuple):
    """An order for the launcher, and until when (boot time) it may still start it."""

    order: Order
    start_by: float


@dataclass(frozen=True, slots=True)
class Commands:
    """What the launcher must do: first learn why attempts end, last start others.

    Args:
        end: why these are ended.
        forget: results that the queue has, and that need not be written any more.
        record: results to write.
        spawn: orders to start.
        tidy: attempts whose jobs have ended for good: their copies of code can go.
    """

    end: tuple[Termination, ...] = ()
    forget: tuple[AttemptId, ...] = ()
    record: tuple[Result, ...] = ()
    spawn: tuple[Spawn, ...] = ()
    tidy: tuple[AttemptId, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as it is sent; empty if there is nothing to do."""
        raw: dict[str, list[Any]] = {
            "doom": [to_json(one) for one in self.end],
            "forget": list(self.forget),
            "record": [to_json(one) for one in self.record],
            "spawn": [[to_json(one.order), one.start_by] for one in self.spawn],
            "tidy": list(self.tidy),
        }
        return {name: items for name, items in raw.items() if items}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Commands:
        """Return what `to_json` made this of."""
        return cls(
            tuple(from_json(Termination, one) for one in raw.get("doom", ())),
            attempt_ids(raw.get("forget", ())),
            tuple(from_json(Result, one) for one in raw.get("record", ())),
            tuple(Spawn(from_json(Order, one), by) for one, by in raw.get("spawn", ())),
            attempt_ids(raw.get("tidy", ())),
        )


class Wish(NamedTuple):
    """An attempt that asks to be queued again, and how many seconds after its start."""

    attempt: AttemptId
    asked_s: float


class Recorded(NamedTuple):
    """A result that is on NFS, or will not be soon (`is_written`).

    `last_line` is that of its log; `has_said`: whether it wrote to its log or its report.
    """

    attempt: AttemptId
    is_written: bool
    last_line: str = ""
    has_said: bool = False


@dataclass(frozen=True, slots=True)
class News:
    """What has become of attempts at the launcher.

    Args:
        started: these run.
        late: these were not started, since their time to start had passed.
        asked: these run and ask to be queued again.
        gone: no process of these is left.
        recorded: the results of these are dealt with.
    """

    started: tuple[Started, ...] = ()
    late: tuple[AttemptId, ...] = ()
    gone: tuple[Result, ...] = ()
    recorded: tuple[Recorded, ...] = ()
    asked: tuple[Wish, ...] = ()

    def plus(self, more: News) -> News:
        """Return both together."""
        return News(
            self.started + more.started,
            self.late + more.late,
            self.gone + more.gone,
            self.recorded + more.recorded,
            self.asked + more.asked,
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as it is sent."""
        lines = [[*one.attempt, one.last_line] for one in self.recorded if one.last_line]
        raw: dict[str, list[Any]] = {
            "asked": [[*one.attempt, one.asked_s] for one in self.asked],
            "started": [to_json(one) for one in self.started],
            "late": list(self.late),
            "gone": [to_json(one) for one in self.gone],
            "last_lines": lines,
            "said": [one.attempt for one in self.recorded if one.has_said],
            "stored": [one.attempt for one in self.recorded if one.is_written],
            "unwritten": [one.attempt for one in self.recorded if not one.is_written],
        }
        return {name: items for name, items in raw.items() if items}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> News:
        """Return what `to_json` made this of."""
        lines = {
            AttemptId(job_id, number): line for job_id, number, line in raw.get("last_lines", ())
        }
        said = frozenset(attempt_ids(raw.get("said", ())))
        recorded = [
            Recorded(attempt, is_written, lines.get(attempt, ""), attempt in said)
            for how, is_written in (("stored", True), ("unwritten", False))
            for attempt in attempt_ids(raw.get(how, ()))
        ]
        return cls(
            tuple(from_json(Started, one) for one in raw.get("started", ())),
            attempt_ids(raw.get("late", ())),
            tuple(from_json(Result, one) for one in raw.get("gone", ())),
            tuple(recorded),
            tuple(Wish(AttemptId(one[0], one[1]), one[2]) for one in raw.get("asked", ())),
        )
