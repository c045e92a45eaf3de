"""When the collector looks at which attempt, and how long an attempt's end waits for its last look.

Each running attempt is read soon after its start and then every `metrics_s`; what it uses is stored
as it is sampled. One that has ended is read a last time, and its end is committed after that, but
never much later than without: a collector that is slow or hangs keeps no job's end from the queue,
which is told later what was found.
Attempts that lasted for a moment and printed nothing are not read, so that short jobs lose no time.

All of it is pure; `collector_role` keeps what it decides from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mlq.store.replies import Attempt
from mlq.units import parse_iso
from mlq_worker.agent.attempt_result import AttemptResult
from mlq_worker.collector.protocol import Figures

PATIENCE_S = 4.0
"""How long the end of an attempt waits for its last reading."""

SHORTEST_S = 0.05
"""An attempt that ran for less is not read, unless it wrote to its log or its report."""

SOON_S = 10.0
"""When an attempt is read for the first time, unless it is read more often than that."""


Late = tuple[tuple[Attempt, Figures], ...]
"""Attempts whose last reading came after their end was committed, and what it found."""


@dataclass(frozen=True, slots=True)
class CollectorFacts:
    """What `collect` decides from.

    Args:
        is_free: whether there is a collector, and it is not busy.
        ask_s: when it may be asked again.
        read_due_s: when each running attempt is to be read.
        last: the attempts that have ended and wait for their last reading, and since when.
        again_s: when those of them are read again whose folder could not be.
        with_samples: the attempts of which there are samples to store.
        late: what was found of attempts whose end had been committed by then.
    """

    is_free: bool = False
    ask_s: float = 0.0
    read_due_s: Mapping[Attempt, float] = field(default_factory=dict)
    last: Mapping[Attempt, float] = field(default_factory=dict)
    again_s: Mapping[Attempt, float] = field(default_factory=dict)
    with_samples: frozenset[Attempt] = frozenset()
    late: Late = ()

    def is_awaited(self, attempt: Attempt, now_s: float) -> bool:
        """Return whether the end of this attempt waits for its last reading."""
        since_s = self.last.get(attempt)
        return since_s is not None and now_s - since_s < PATIENCE_S

    def next_s(self, now_s: float) -> float:
        """Return when there is something to decide, if the collector does not answer before."""
        over_s = (since_s + PATIENCE_S for since_s in self.last.values())
        due = [one for one in over_s if one > now_s]
        if self.is_free:
            due += [max(self.ask_s, one) for one in self.read_due_s.values()]
            due += [max(self.ask_s, self.again_s.get(key, 0.0)) for key in self.last]
            due += [self.ask_s] if self.with_samples else []
        return min(due, default=float("inf"))


@dataclass(frozen=True, slots=True)
class Collect:
    """Let the collector look.

    Args:
        read: the running attempts whose files it reads.
        last: the ended attempts that it reads for the last time.
        samples: the attempts of which it only stores samples.
    """

    read: tuple[Attempt, ...] = ()
    last: tuple[Attempt, ...] = ()
    samples: tuple[Attempt, ...] = ()


@dataclass(frozen=True, slots=True)
class Annotate:
    """Tell the queue what was found of attempts after it had their end."""

    late: Late


def collect(facts: CollectorFacts, now_s: float) -> list[Collect]:
    """Return what to ask the collector now."""
    if not facts.is_free or now_s < facts.ask_s:
        return []
    # The last readings first: ends wait for them.
    read = tuple(key for key, due_s in facts.read_due_s.items() if due_s <= now_s)
    last = tuple(key for key in facts.last if facts.again_s.get(key, 0.0) <= now_s)
    samples = tuple(facts.with_samples - {*read, *facts.last})
    asked = Collect(read, last, samples)
    return [asked] if asked != Collect() else []


def wants_last_reading(result: AttemptResult, has_reported: bool) -> bool:
    """Return whether the files of an attempt that ended so are worth a last reading."""
    if not result.started_at:
        return False
    if has_reported or result.has_said:
        return True
    return parse_iso(result.ended_at) - parse_iso(result.started_at) >= SHORTEST_S
