"""What is seen of a queue at a glance: jobs of no sweep one by one, of a sweep its counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mlq.jobs.view import JobView

if TYPE_CHECKING:
    from mlq.store.reads import Glance, SweepSeen


class Glanced(NamedTuple):
    """What `mlq ls` shows.

    Args:
        jobs: of no sweep, in order of submission; of a long queue those that count most.
        sweeps: those of which a member has not ended, or ended lately.
        paused: why the queue gives nothing out, as its user wants; "" if it does.
        counts: if `jobs` are not all: how many of no sweep there are of each unended state, how
            many of these are `held`, and how many `ended`. Otherwise None.
    """

    jobs: list[JobView]
    sweeps: list[SweepSeen]
    paused: str = ""
    counts: dict[str, int] | None = None


def alone(seen: Glance) -> dict[str, int] | None:
    """Return how many jobs of no sweep there are of each state; None if all were seen."""
    if seen.counts is None:
        return None
    counts = {
        state: max(0, number - sum(one.counts.get(state, 0) for one in seen.sweeps))
        for state, number in seen.counts.items()
    }
    return {**counts, "ended": seen.ended}
