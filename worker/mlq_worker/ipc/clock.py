"""The two clocks of a machine, in the forms in which they travel.

CLOCK_BOOTTIME orders what happens on one machine: it counts the time the machine is suspended, and
all processes of one boot read the same value. UTC is for people; nothing is decided by it.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple


def boottime() -> float:
    """Seconds since this machine booted, suspension included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def utc_now() -> str:
    """The time of day as `2026-11-23T22:15:01.123456Z`."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def boot_id() -> str:
    """The id the kernel chose for this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


class Moment(NamedTuple):
    """One instant on both clocks: `at` in seconds of boot time, `utc` for people."""

    at: float
    utc: str


def now() -> Moment:
    """This instant."""
    return Moment(boottime(), utc_now())
