"""What the store's operations reply, as typed values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mlq.errors import QueueRefusedError
from mlq.store.machine_names import NameHolder

Attempt = tuple[str, int]
"""An attempt: job id and attempt number; the number is the fencing token."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that is this machine's from now on, until its lease ends."""

    id: str
    attempt: int
    class_name: str
    spec: str
    signature: str
    losses: int
    failures: int
    folder_faults: int = 0
    ooms: int = 0
    crowded: int = 0
    soon_asked: int = 0

    @classmethod
    def from_reply(cls, raw: dict[str, Any]) -> Claim:
        """Read one entry of the reply of `claim`."""
        return cls(
            raw["id"],
            raw["attempt"],
            raw["class"],
            raw["spec"],
            raw["signature"],
            raw["losses"],
            raw["failures"],
            raw["folder_faults"],
            raw["ooms"],
            raw["crowded"],
            raw["soon_asked"],
        )


@dataclass(frozen=True, slots=True)
class Head:
    """The first waiting job of a class, and how many wait there."""

    class_name: str
    id: str
    length: int
    enqueued_at: str
    order: float
    time_limit_s: float | None = None
    needs: str = ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The waiting jobs: the head of each class, and which machine drains for which starving job."""

    heads: tuple[Head, ...]
    reservations: dict[str, str]

    @classmethod
    def from_reply(cls, raw: dict[str, Any]) -> Waiting:
        """Read the reply of `peek`."""
        heads = tuple(
            Head(
                one["class"],
                one["id"],
                one["length"],
                one["enqueued_at"],
                one["order"],
                one["timeout_s"] if one["timeout_s"] > 0 else None,
                one["needs"],
            )
            for one in raw["heads"] or ()
        )
        return cls(heads, dict(raw["reservations"] or {}))


class SentSignal(NamedTuple):
    """A signal that a user sends to a running attempt.

    `sequence` grows with each signal to the attempt; `whom` as in `mlq.jobs.signals`.
    """

    id: str
    attempt: int
    sequence: int
    number: int
    whom: str

    @property
    def key(self) -> Attempt:
        """Job id and attempt number."""
        return self.id, self.attempt


@dataclass(frozen=True, slots=True)
class Renewal:
    """The outcome of a renewal.

    Args:
        alive: still this machine's.
        lost: certainly no longer this machine's.
        stop: those of `alive` that their users want stopped, and why.
        requeue: those of `alive` that their users want queued again, and why.
        signal: signals that users send to those of `alive`, the oldest first.
        unknown: of jobs that this queue has never heard of.
        adopted: those of `alive` that the queue had forgotten and has taken back.
        holder: another worker that holds the machine's name; then nothing was renewed.
        server_s: unix time by the server's clock; 0 if it did not say.
    """

    alive: tuple[Attempt, ...]
    lost: tuple[Attempt, ...]
    stop: dict[Attempt, str]
    unknown: tuple[Attempt, ...] = ()
    adopted: tuple[Attempt, ...] = ()
    holder: NameHolder | None = None
    server_s: float = 0.0
    requeue: Mapping[Attempt, str] = field(default_factory=dict)
    signal: tuple[SentSignal, ...] = ()

    @classmethod
    def from_reply(cls, raw: dict[str, Any]) -> Renewal:
        """Read the reply of `renew`."""
        return cls(
            _attempts(raw["alive"]),
            _attempts(raw["lost"]),
            {(one[0], one[1]): one[2] for one in raw["stop"] or ()},
            _attempts(raw["unknown"]),
            _attempts(raw["adopted"]),
            NameHolder.of(raw["holder"]) if raw.get("holder") else None,
            raw.get("server_s", 0.0),
            {(one[0], one[1]): one[2] for one in raw["requeue"] or ()},
            tuple(SentSignal(*one) for one in raw["signal"] or ()),
        )


@dataclass(frozen=True, slots=True)
class HeldAttempt:
    """An attempt as the queue believes it: where it runs and how often its job was lost before.

    `lease` is when its lease ends, in text that changes with every renewal; `expired` whether it
    has ended, by the clock of the server. Both are given for leases that were not renewed recently.
    """

    id: str
    attempt: int
    machine: str
    boot_id: str
    supervisor_id: str
    losses: int
    stop: str
    lease: str = ""
    expired: bool = False

    @property
    def key(self) -> Attempt:
        """Job id and attempt number."""
        return self.id, self.attempt


@dataclass(frozen=True, slots=True)
class Refusal:
    """A move that the server could not make; the others of its batch were made."""

    id: str
    attempt: int
    why: str

    @property
    def key(self) -> Attempt:
        """Job id and attempt number."""
        return self.id, self.attempt


@dataclass(frozen=True, slots=True)
class Moved:
    """Which moves were made, which were stale and changed nothing, and which the server refused.

    `revived` are (parent, id) of jobs that were put back because a parent is run again.
    """

    moved: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    refused: tuple[Refusal, ...] = ()
    revived: tuple[tuple[str, str], ...] = ()

    def check(self) -> None:
        """Raise an error if a move was refused.

        Raises:
            QueueRefusedError: a move was refused.
        """
        if self.refused:
            named = ", ".join(one.id for one in self.refused[:3])
            raise QueueRefusedError(
                f"the queue could not change {len(self.refused)} jobs, among them {named}",
                why=self.refused[0].why,
                fix="look at it with: mlq doctor",
            )

    @classmethod
    def from_reply(cls, raw: dict[str, Any]) -> Moved:
        """Read the reply of `move`."""
        refused = tuple(Refusal(*one) for one in raw["refused"] or ())
        return cls(tuple(raw["moved"] or ()), tuple(raw["stale"] or ()), refused, _revived(raw))

    @classmethod
    def by_telling(cls, raw: dict[str, Any]) -> Moved:
        """Read the reply of `tell`, which puts jobs back and makes no moves of its own."""
        return cls(revived=_revived(raw))

    def __add__(self, other: Moved) -> Moved:
        return Moved(
            self.moved + other.moved,
            self.stale + other.stale,
            self.refused + other.refused,
            self.revived + other.revived,
        )


@dataclass(frozen=True, slots=True)
class Expired:
    """Attempts whose lease has run out, and every machine that holds attempts."""

    attempts: tuple[HeldAttempt, ...]
    holders: tuple[str, ...]

    @classmethod
    def from_reply(cls, raw: dict[str, Any]) -> Expired:
        """Read the reply of `expired`."""
        attempts = tuple(HeldAttempt(**one) for one in raw["attempts"] or ())
        return cls(attempts, tuple(raw["holders"] or ()))


def _revived(raw: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((parent, child) for parent, child in raw["revived"] or ())


def _attempts(raw: Any) -> tuple[Attempt, ...]:
    return tuple((one[0], one[1]) for one in raw or ())
