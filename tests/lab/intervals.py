"""When each attempt of each job truly ran, from the ticks of `ticker.py`, and who ran beside whom.

Ticks further apart than `GAP_S` have a pause between them: the job was stopped, frozen or dead, or
had to wait for its file system. A tick late for want of CPU only shortens what counts as having run
by less than a tick's distance, so an overlap of two attempts can look shorter than it was by two
such gaps, and not be missed altogether: a single tick inside another attempt's interval counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import Path

GAP_S = 0.5


@dataclass(frozen=True, slots=True)
class Interval:
    """A time without a pause; CLOCK_MONOTONIC of the box, seconds."""

    begin_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two attempts of one job that ran at once.

    Args:
        job_id: the job.
        attempts: the two.
        length_s: for how long; 0 for a single tick.
        begin_s: from when on.
    """

    job_id: str
    attempts: tuple[int, int]
    length_s: float
    begin_s: float


def read_ticks(folder: Path) -> dict[str, dict[int, list[float]]]:
    """Return job -> attempt -> its ticks, of all that ticked into the folder."""
    found: dict[str, dict[int, list[float]]] = defaultdict(dict)
    for path in folder.iterdir():
        job_id, _, attempt = path.name.rpartition(".")
        found[job_id][int(attempt)] = [float(line) for line in path.read_text().split()]
    return found


def intervals(ticks: Iterable[float]) -> list[Interval]:
    """Return the times without a pause, in order."""
    ordered = sorted(ticks)
    if not ordered:
        return []
    pauses = [(one, other) for one, other in pairwise(ordered) if other - one > GAP_S]
    begins = [ordered[0], *(other for _, other in pauses)]
    ends = [*(one for one, _ in pauses), ordered[-1]]
    return [Interval(begin, end) for begin, end in zip(begins, ends, strict=True)]


def overlaps(job_id: str, attempts: dict[int, list[float]]) -> list[Overlap]:
    """Return every time two attempts of a job ran at once."""
    ran = {attempt: intervals(ticks) for attempt, ticks in attempts.items()}
    return [
        Overlap(job_id, (one, other), end_s - begin_s, begin_s)
        for one, other in combinations(sorted(ran), 2)
        for first in ran[one]
        for second in ran[other]
        if (end_s := min(first.end_s, second.end_s))
        >= (begin_s := max(first.begin_s, second.begin_s))
    ]
