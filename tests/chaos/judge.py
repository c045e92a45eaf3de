"""What chaos may never do to a job: lose it, fail it, run it twice at once. Pure.

Every job can finish, so each that was acknowledged must have finished, and its last attempt must
have run to its end. What ran when is told by the jobs' own ticks (`intervals`), not by any daemon.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from intervals import Overlap, overlaps

WAKING_S = 0.5


@dataclass(frozen=True, slots=True)
class Freeze:
    """A time in which nobody on a machine could watch its jobs; CLOCK_MONOTONIC, seconds."""

    machine: str
    begin_s: float
    end_s: float


@dataclass(frozen=True)
class Verdict:
    """What became of the jobs.

    Args:
        acknowledged: how many ids the queue gave out.
        lost: those of them that did not end.
        failed: those that ended otherwise than well, and why.
        short: finished jobs no attempt of which ran to its end.
        doubled: overlaps outside a freeze past `dead_s`.
        excused: overlaps inside one.
    """

    acknowledged: int
    lost: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    short: list[str] = field(default_factory=list)
    doubled: list[Overlap] = field(default_factory=list)
    excused: list[Overlap] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing happened that must not happen."""
        return not (self.lost or self.failed or self.short or self.doubled)


def excuses(freeze: Freeze, overlap: Overlap, dead_s: float) -> bool:
    """Return whether a freeze outlasted `dead_s` and the overlap lies behind that, within it."""
    latest_s = overlap.begin_s + overlap.length_s
    return freeze.begin_s + dead_s / 2 <= overlap.begin_s and latest_s <= freeze.end_s + WAKING_S


@dataclass(frozen=True)
class Evidence:
    """What was seen of the jobs.

    Args:
        acknowledged: the ids that the queue gave out.
        ends: of each job that has ended: its state and the reason.
        ticks: job -> attempt -> when it ticked.
        done: jobs one attempt of which ran to its end.
        machines: where each attempt ran.
        freezes: when jobs were without a watcher.
    """

    acknowledged: Sequence[str]
    ends: Mapping[str, tuple[str, str]]
    ticks: Mapping[str, dict[int, list[float]]]
    done: frozenset[str]
    machines: Mapping[tuple[str, int], str]
    freezes: Sequence[Freeze] = ()


def judge(seen: Evidence, dead_s: float) -> Verdict:
    """Return what became of the jobs; `dead_s` is the silence that means death."""
    verdict = Verdict(len(seen.acknowledged))
    for job in seen.acknowledged:
        state, reason = seen.ends.get(job, ("", ""))
        if not state:
            verdict.lost.append(job)
        elif state != "finished":
            verdict.failed[job] = f"{state}: {reason}"
        elif job not in seen.done:
            verdict.short.append(job)
    for job, attempts in seen.ticks.items():
        for one in overlaps(job, attempts):
            at = {seen.machines.get((job, attempt), "") for attempt in one.attempts}
            excused = any(
                each.machine in at and excuses(each, one, dead_s) for each in seen.freezes
            )
            (verdict.excused if excused else verdict.doubled).append(one)
    return verdict
