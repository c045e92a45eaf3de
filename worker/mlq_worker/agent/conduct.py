"""What follows from how jobs start on this machine: hold a command, or set the machine aside.

Pure. The worker remembers here how its own last jobs started. Only after a bad start does it ask
the queue how the same commands started elsewhere; `judge` decides what follows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from mlq.jobs.lifecycle import FAILING
from mlq.jobs.needs import word_of
from mlq_worker.agent.local_attempt import LocalAttempt
from mlq_worker.agent.prefetch import waiting
from mlq_worker.agent.probation import Probation
from mlq_worker.agent.starts import (
    START_S,
    OwnStart,
    Seen,
    Start,
    command_fails,
    fails_elsewhere,
    how_it_started,
    machine_fails,
    was_crowded,
)

_REMEMBERED = 20
TRIALS = 2
"""So many trials of a machine must fail before the command of its jobs may be to blame."""


@dataclass(frozen=True, slots=True)
class SetAside:
    """Take only single jobs from now on."""

    reason: str


@dataclass(frozen=True, slots=True)
class TakeBack:
    """Let jobs that failed here run again elsewhere."""

    job_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EndProbation:
    """Take all jobs again."""


@dataclass(frozen=True, slots=True)
class HoldCommand:
    """Hold all waiting jobs of a command."""

    word: str
    reason: str


ConductAction = SetAside | TakeBack | EndProbation | HoldCommand


@dataclass(frozen=True, slots=True)
class SeenStarts:
    """What the queue knows of some commands, and whether it was asked since one started badly."""

    seen: Seen
    after_bad_start: bool


@dataclass(slots=True)
class Conduct:
    """How the last jobs of this machine started.

    Args:
        probation: whether the machine is set aside.
        bad_starts: the bad starts in a row, the newest last.
        held_words: the commands that this worker held and that have not started well since.
        has_new_bad_start: whether a job started badly and the queue was not yet asked about it.
    """

    probation: Probation = field(default_factory=Probation)
    bad_starts: tuple[OwnStart, ...] = ()
    held_words: set[str] = field(default_factory=set)
    has_new_bad_start: bool = False

    @property
    def words(self) -> frozenset[str]:
        """The commands that started badly."""
        return frozenset(one.word for one in self.bad_starts)

    def ended(self, attempts: Iterable[LocalAttempt]) -> None:
        """Learn from attempts whose end is committed in the queue."""
        for one in attempts:
            how = "" if one.result is None else how_it_started(one.result)
            if one.result is not None and was_crowded(one.result, one.request):
                how = "bad"
            word = word_of(one.needs, "s")
            if how == "good":
                self.went_well(word)
            elif how == "bad" and one.result is not None and word:
                own = OwnStart(one.attempt[0], word, one.result.last_line or one.result.reason)
                self.bad_starts = (*self.bad_starts[1 - _REMEMBERED :], own)
                self.has_new_bad_start = True

    def went_well(self, word: str = "") -> None:
        """Note that a job started well; `word` is its command's, if the start counts for it."""
        self.bad_starts = ()
        self.held_words.discard(word)
        self.probation.end()


def lasting(active: Iterable[LocalAttempt], now_s: float) -> tuple[LocalAttempt, ...]:
    """Return attempts that have lived past their start, if the queue was not yet told of that."""
    return tuple(
        one
        for one in active
        if one.leader_pid is not None and not one.start_noted and now_s - one.started_s > START_S
    )


def unwanted(conduct: Conduct, active: Iterable[LocalAttempt]) -> list[LocalAttempt]:
    """Return attempts claimed ahead that would most likely fail like those before them."""
    if not conduct.probation.reason and not conduct.held_words:
        return []
    return [
        one
        for one in waiting(active)
        if conduct.probation.reason or word_of(one.needs, "s") in conduct.held_words
    ]


def judge(conduct: Conduct, starts: SeenStarts | None, machine: str) -> list[ConductAction]:
    """Return what to do, given what the queue knows of the commands that started badly here."""
    bad_starts = conduct.bad_starts
    if starts is None or not bad_starts:
        return []
    seen = starts.seen
    is_to_blame = machine_fails(bad_starts, machine, seen)
    if not starts.after_bad_start:
        return [] if is_to_blame else [EndProbation()]
    aside = _set_aside(conduct, seen, machine) if is_to_blame else []
    # Many jobs may fail here at once: first the other machines get a chance to show that it is not
    # the command. If its trials fail as well and no other machine has started it, it is held.
    if aside and conduct.probation.tries < TRIALS:
        return aside
    for own in reversed(bad_starts):
        row = command_fails(
            seen.starts.get(own.word, ()), seen.living, seen.running.get(own.word, ())
        )
        if row:
            return [HoldCommand(own.word, _hold_reason(row, own.reason))]
    return aside


def _set_aside(conduct: Conduct, seen: Seen, machine: str) -> list[ConductAction]:
    bad_starts = conduct.bad_starts
    ours = [one for one in bad_starts if not fails_elsewhere(one.word, machine, seen)]
    jobs = tuple(dict.fromkeys(one.job_id for one in ours))
    return [SetAside(_aside_reason(bad_starts)), TakeBack(jobs)]


def _hold_reason(row: Iterable[Start], reason: str) -> str:
    starts = list(row)
    jobs = {one.job_id for one in starts}
    machines = sorted({one.machine for one in starts})
    return (
        f"{FAILING}{len(jobs)} jobs of this command in a row failed within {START_S:.0f}s, "
        f"on {' and '.join(machines)}: {reason}"
    )


def _aside_reason(bad_starts: tuple[OwnStart, ...]) -> str:
    jobs = len({one.job_id for one in bad_starts})
    last = bad_starts[-1].reason
    reason = f"{jobs} jobs in a row failed within {START_S:.0f}s here and go well elsewhere"
    return f"{reason} (last: {last})"
