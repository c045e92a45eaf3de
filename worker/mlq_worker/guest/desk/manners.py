"""What somebody at the desk means for the jobs: pure.

Jobs pause at the first touch and go on once the desk was untouched for `desk_resume_s`; new ones
start after `desk_idle_s`. A job that paused for too long is handed back, since another machine may
be free: soon if it holds GPU memory, late if it would lose everything and nobody needs its memory.
Times are boot times.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from mlq.jobs.attempt import AttemptId
from mlq.units import format_duration
from mlq_worker.guest.desk.desk import DeskState
from mlq_worker.guest.rules import GuestRules
from mlq_worker.guest.watch import Demand, End, GuestAttempt, Pause, Seen

WORDS = "somebody is at the desk"
IN_USE = "desk in use"
_GPU_PART = 5
"""Jobs that hold GPU memory are handed back after this part of the time: a pause frees none."""


class Surroundings(NamedTuple):
    """What else is known of the machine.

    Args:
        cores: how many are ours to use.
        needs_memory: whether anybody needs the main memory that paused jobs hold.
        drives_display: whether a GPU, by its UUID, drives a display.
        saved_at: when an attempt last saved something; None: not yet, as far as is known.
    """

    cores: int
    needs_memory: bool
    drives_display: Callable[[str], bool]
    saved_at: Callable[[AttemptId], float | None]


class DeskManners:
    """Remembers since when each attempt is paused.

    Args:
        machine: its name, for people.
    """

    def __init__(self, machine: str) -> None:
        self._machine = machine
        self._since: dict[AttemptId, float] = {}

    def judge(
        self,
        attempts: Sequence[GuestAttempt],
        desk: DeskState,
        around: Surroundings,
        rules: GuestRules,
        at: float,
    ) -> Seen:
        """Return what the desk demands now."""
        untouched_s = None if desk.touched_at is None else max(0.0, at - desk.touched_at)
        if untouched_s is None or untouched_s >= rules.desk_idle_s:
            self._since = {}
            return Seen()
        if untouched_s >= rules.desk_resume_s:
            self._since = {}
            starts = format_duration(rules.desk_idle_s)
            said = f"desk free for {_coarse(untouched_s)}, jobs start after {starts}"
            return Seen(notes=(said,), closed=said)
        staying = [one for one in attempts if not one.is_ending]
        paused = [one for one in staying if _pauses(one, around, rules)]
        before, self._since = self._since, {}
        demands: dict[AttemptId, Demand] = {}
        for attempt in paused:
            since = self._since[attempt.id] = min(before.get(attempt.id, at), at)
            is_over = at - since >= _patience_s(attempt, around, rules)
            demands[attempt.id] = Demand(
                (Pause("desk", WORDS),), end=self._end if is_over else None
            )
        squeezed = [one for one in staying if one.id not in demands]
        for attempt_id, cores in half_of_the_cores(squeezed, around.cores).items():
            demands[attempt_id] = Demand(cores=cores)
        return Seen(demands, notes=(IN_USE,), closed=IN_USE)

    @property
    def _end(self) -> End:
        return End("released", f"handed back: {WORDS} of {self._machine}")


def _pauses(attempt: GuestAttempt, around: Surroundings, rules: GuestRules) -> bool:
    return rules.desk_action == "pause" or any(
        around.drives_display(uuid) for uuid in attempt.share.gpu_uuids
    )


def _patience_s(attempt: GuestAttempt, around: Surroundings, rules: GuestRules) -> float:
    """Return for how long an attempt stays paused."""
    saves = around.saved_at(attempt.id) is not None
    spared = not saves and not around.needs_memory
    whole_s = max(rules.desk_keep_s, rules.desk_evict_s) if spared else rules.desk_evict_s
    return whole_s / _GPU_PART if attempt.share.gpu_uuids else whole_s


def half_of_the_cores(attempts: Sequence[GuestAttempt], cores: int) -> Mapping[AttemptId, int]:
    """Return how many cores each gets so that all together have half, in proportion; at least one.

    Those that have no more than that anyway are left out.
    """
    asked = {one.id: max(1, one.share.cores) for one in attempts}
    half = max(1, cores // 2)
    if sum(asked.values()) <= half:
        return {}
    given = dict.fromkeys(asked, 1)
    for _ in range(half - len(given)):
        neediest = min(given, key=lambda one: given[one] / asked[one])
        given[neediest] += 1
    return {one: count for one, count in given.items() if count < asked[one]}


def _coarse(seconds: float) -> str:
    """Return a span that changes seldom while it is shown."""
    step = 60 if seconds >= 60 else 10
    return format_duration(seconds // step * step)
