"""The condition of a machine that holds jobs, in plain words.

The queue knows when it last heard a machine. The reaper knows what the machine's beat on NFS says
meanwhile, and leaves that in the queue as a sighting. Together they distinguish a machine whose
tunnel is cut and whose jobs go on, a machine whose jobs are paused, and a machine of which nothing
is known. These words are for people only: whether an attempt is dead is decided by the reaper
(`mlq_worker.liveness.verdicts`).

The difference between a machine's clock and the queue's is for people only, too: ages are measured
by the server's clock and spans by monotonic clocks, so no job suffers from a wrong clock. But times
in logs and in `mlq show` would mislead their readers, who must know.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from mlq.lenient import finite_or_zero, int_or
from mlq.units import format_duration


class LastSeen(NamedTuple):
    """What the reaper saw on NFS of a machine whose leases ran out.

    Args:
        silent_s: for how long it has seen the beat unchanged.
        worker: whether a worker is connected to the supervisor, by the latest beat.
        paused: how many attempts the supervisor has paused, by the latest beat.
        unreadable: why the beat could not be read at all; "" if it could.
    """

    silent_s: float = 0.0
    worker: bool = True
    paused: int = 0
    unreadable: str = ""


class LastHeard(NamedTuple):
    """When the queue last heard a machine, and what it said then.

    Args:
        heard_s: how long ago that was.
        condition: what was wrong with it, in its own words; "" if nothing.
        tunnel: whether a tunnel leads from it to the queue.
    """

    heard_s: float
    condition: str = ""
    tunnel: bool = False


def in_words(
    heard: LastHeard, sighting: LastSeen | None, lease_s: float, fence_s: float, dead_s: float
) -> str:
    """Return what is wrong with a machine that holds jobs; "" if nothing is.

    Args:
        heard: by the queue.
        sighting: by the reaper; None if there is none.
        lease_s: after this long without contact a machine holds no lease.
        fence_s: after half this long without a beat, the machine may be dead.
        dead_s: after this long without a beat, its jobs are queued again.
    """
    if heard.heard_s <= lease_s:
        return heard.condition
    if sighting is None:
        return f"not heard of for {_whole(heard.heard_s)}"
    if sighting.unreadable:
        return f"not heard of for {_whole(heard.heard_s)}, and NFS not answering the reaper"
    return _as_seen(heard, sighting, fence_s, dead_s)


def _as_seen(heard: LastHeard, sighting: LastSeen, fence_s: float, dead_s: float) -> str:
    silence = _whole(heard.heard_s)
    if sighting.silent_s >= fence_s / 2:
        # It may be off, or cut off with its jobs paused: the two look the same from here.
        silent_s = min(heard.heard_s, sighting.silent_s)
        when = f"at {_whole(dead_s)}" if silent_s < dead_s else "now"
        return f"not heard of for {_whole(silent_s)}; its jobs are queued again {when}"
    if sighting.paused:
        return f"paused until the queue hears it again, not for {silence}; alive by NFS"
    if not sighting.worker:
        return f"no worker for {silence}; its jobs go on, alive by NFS"
    what = "tunnel down" if heard.tunnel else "worker silent"
    return f"{what} for {silence}; alive by NFS"


def read_sightings(raw: Mapping[str, Mapping[str, Any]]) -> dict[str, LastSeen]:
    """Return the sightings that a reaper published, by machine."""
    return {
        machine: LastSeen(
            finite_or_zero(one.get("silent_s")),
            bool(one.get("worker", True)),
            int_or(one.get("paused")),
            str(one.get("unreadable", "")),
        )
        for machine, one in raw.items()
        if isinstance(one, dict)
    }


def _whole(seconds: float) -> str:
    return format_duration(max(0, int(seconds)))


OFF_S = 30.0
"""A larger offset is reported."""

_SLOW_S = 10.0  # a slower answer would make the offset too uncertain


def offset_s(sent_utc_s: float, took_s: float, server_s: float) -> float | None:
    """Return how far a clock is ahead of the server's (negative: behind); None if unknown.

    Args:
        sent_utc_s: by this clock, when the server was asked.
        took_s: how long its answer took, by a monotonic clock.
        server_s: the time that it answered; 0 if none.
    """
    if server_s <= 0 or not 0 <= took_s <= _SLOW_S:
        return None
    return sent_utc_s + took_s / 2 - server_s


def clock_in_words(ahead_s: float) -> str:
    """Return a description of such an offset; "" if it is small."""
    if abs(ahead_s) <= OFF_S:
        return ""
    way = "ahead of" if ahead_s > 0 else "behind"
    return f"its clock is {format_duration(round(abs(ahead_s)))} {way} the queue's"


def told_by(record: Mapping[str, Any]) -> str:
    """Return what a machine's record says of its clock, in words; "" if the clock is right."""
    return clock_in_words(finite_or_zero(record.get("clock_off_s")))
