"""A queue at a glance: single jobs one by one, sweeps as counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mlq.jobs.view import JobView

if TYPE_CHECKING:
    from mlq.store.reads import Glance, SweepSeen


class Glanced(NamedTuple):
    """What `mlq ls` shows.

    Args:
        jobs: those of no sweep, in order of submission; of a long queue only the most important.
        sweeps: those of which a member has not ended, or ended lately.
        paused: why the user has paused the queue; "" if it is not paused.
        counts: if `jobs` is not complete: how many jobs of no sweep are in each unended state, how
            many of these are `held`, and how many `ended`. Otherwise None.
    """

    jobs: list[JobView]
    sweeps: list[SweepSeen]
    paused: str = ""
    counts: dict[str, int] | None = None


def alone(seen: Glance) -> dict[str, int] | None:
    """Return how many jobs of no sweep are in each state; None if `jobs` has all of them."""
    if seen.counts is None:
        return None
    counts = {
        state: max(0, number - sum(one.counts.get(state, 0) for one in seen.sweeps))
        for state, number in seen.counts.items()
    }
    return {**counts, "ended": seen.ended}
