"""What the parts of a good guest are given and what they answer: the contract between them.

Each part (desk, `mlq off`, hours, room, limits, board) is a `Watch`: the supervisor's loop asks it
about once a second, and it answers what it demands of each attempt. The supervisor carries that
out; no watch signals a process of a job, except to pin or to freeze it. Standard library only; a
watch must not block, must not touch NFS in this thread, and must not raise: what it cannot read it
says in its notes.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

from mlq.jobs.attempt import AttemptId
from mlq_worker.guest.rules import GuestRules
from mlq_worker.ipc.clock import Moment
from mlq_worker.ipc.procfs import Target
from mlq_worker.ipc.shortage import Shortage
from mlq_worker.ipc.values import Share

PauseReason = Literal["fence", "desk", "off", "hours"]
"""Why an attempt is paused; the supervisor itself decides about `fence`."""


class GuestAttempt(NamedTuple):
    """An attempt that has processes, as the supervisor shows it to the watches.

    Args:
        id: job id and attempt number.
        target: its keeper, below which all its processes are.
        share: what it was given and asked for.
        started_at: boot time.
        checkpoint_dir: on NFS: only threads may look there.
        paused_by: why it is paused now.
        is_ending: whether it has been told to end.
        lane: of which lane of short jobs it is; None: of none.
    """

    id: AttemptId
    target: Target
    share: Share
    started_at: float
    checkpoint_dir: str
    paused_by: frozenset[PauseReason] = frozenset()
    is_ending: bool = False
    lane: str | None = None


class Pause(NamedTuple):
    """A reason to pause, and how it is told: `somebody is at the desk`."""

    reason: PauseReason
    words: str


class End(NamedTuple):
    """An attempt must end here.

    Args:
        outcome: `released`: the job goes back to its place in line; `overstepped`: it took more
            than it asked for, and fails.
        reason: for people.
        most_grace_s: its grace is at most this long; 0: it is killed at once.
        shortage: of memory, if that is the reason.
    """

    outcome: Literal["released", "overstepped"]
    reason: str
    most_grace_s: float = 600.0
    shortage: Shortage | None = None


class Demand(NamedTuple):
    """What is demanded of one attempt now.

    Args:
        pauses: why it must not run, the most important first.
        cores: to how many cores it is squeezed; None: it is not.
        end: why it must end; None: it need not.
    """

    pauses: tuple[Pause, ...] = ()
    cores: int | None = None
    end: End | None = None


NO_DEMAND = Demand()


@dataclass(frozen=True, slots=True)
class Seen:
    """What a watch answers.

    Args:
        demands: by attempt; an attempt without one is left alone.
        notes: for the machine's NOTE in `mlq machines`: `desk in use`.
        closed: why no job may start here; "" if one may.
        facts: for `mlq doctor`, by line: `{"desk": {...}}`.
    """

    demands: Mapping[AttemptId, Demand] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    closed: str = ""
    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


class Watch(Protocol):
    """One part of a good guest."""

    def look(self, attempts: Sequence[GuestAttempt], rules: GuestRules, now: Moment) -> Seen:
        """Look once, and answer what is demanded of the attempts."""


class Together:
    """Several watches as one; one that fails by a fault of ours must not blind the others.

    Args:
        watches: asked in this order; of several ends the first counts.
        note: writes a line into the log.
    """

    def __init__(self, watches: Iterable[Watch], note: Callable[[str], None]) -> None:
        self._watches, self._note = tuple(watches), note
        self._failures: dict[str, str] = {}

    def look(self, attempts: Sequence[GuestAttempt], rules: GuestRules, now: Moment) -> Seen:
        """Ask each of them."""
        answers: list[Seen] = []
        for watch in self._watches:
            try:
                answers.append(watch.look(attempts, rules, now))
            except Exception:  # noqa: BLE001 - what another watch demands counts all the same
                self._fail(type(watch).__name__, traceback.format_exc())
        return together(answers)

    def _fail(self, name: str, text: str) -> None:
        if self._failures.get(name) != text:
            self._failures[name] = text
            self._note(f"{name} failed, and holds nothing back: {text}")


def together(answers: Iterable[Seen]) -> Seen:
    """Return what several watches demand together.

    All reasons to pause count, the fewest cores, and of several ends the first.
    """
    demands: dict[AttemptId, Demand] = {}
    notes: list[str] = []
    closed = ""
    facts: dict[str, Mapping[str, Any]] = {}
    for seen in answers:
        for attempt, demand in seen.demands.items():
            demands[attempt] = _both(demands.get(attempt, NO_DEMAND), demand)
        notes += [one for one in seen.notes if one not in notes]
        closed = closed or seen.closed
        facts.update(seen.facts)
    return Seen(demands, tuple(notes), closed, facts)


def _both(one: Demand, other: Demand) -> Demand:
    cores = [each for each in (one.cores, other.cores) if each is not None]
    return Demand(one.pauses + other.pauses, min(cores, default=None), one.end or other.end)
