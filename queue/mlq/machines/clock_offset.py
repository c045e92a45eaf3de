"""How far a machine's clock is off the queue's: for people only, nothing is decided by it.

Ages are told by the server's clock and spans are measured by clocks that only count, so no job
suffers from a clock that is off. But times in logs and in `mlq show` would mislead, and their
reader must know.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlq.lenient import finite_or_zero
from mlq.units import format_duration

OFF_S = 30.0
"""More than that is told."""

_SLOW_S = 10.0  # an answer that took longer says too little


def offset_s(sent_utc_s: float, took_s: float, server_s: float) -> float | None:
    """Return how far a clock is ahead of the server's (negative: behind); None if unknown.

    Args:
        sent_utc_s: by this clock, when the server was asked.
        took_s: how long its answer took, by a clock that only counts.
        server_s: what it answered; 0 if nothing.
    """
    if server_s <= 0 or not 0 <= took_s <= _SLOW_S:
        return None
    return sent_utc_s + took_s / 2 - server_s


def in_words(ahead_s: float) -> str:
    """Return what is to be said of such an offset; "" if it is small."""
    if abs(ahead_s) <= OFF_S:
        return ""
    way = "ahead of" if ahead_s > 0 else "behind"
    return f"its clock is {format_duration(round(abs(ahead_s)))} {way} the queue's"


def told_by(record: Mapping[str, Any]) -> str:
    """Return what a machine's record says of its clock, in words; "" if it is right."""
    return in_words(finite_or_zero(record.get("clock_off_s")))
