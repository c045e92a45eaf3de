"""The two clocks of a machine, in the forms that messages and files hold.

CLOCK_BOOTTIME orders what happens on one machine: it counts the time the machine is suspended, and
all processes of one boot read the same value. UTC is for people; no decision uses it.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

from mlq.units import utc_iso

BOOT_ID_FILE = Path("/proc/sys/kernel/random/boot_id")


def boottime() -> float:
    """Return the seconds since this machine booted, suspension included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def utc_now() -> str:
    """Return the time of day as `2026-11-23T22:15:01.123456Z`."""
    return utc_iso(time.time())


def boot_id(path: Path = BOOT_ID_FILE) -> str:
    """Return the id the kernel drew at this boot: another id means that the machine rebooted."""
    return path.read_text(encoding="ascii").strip()


class Moment(NamedTuple):
    """One instant on both clocks: `at` in seconds of boot time, `utc` for people."""

    at: float
    utc: str


def now() -> Moment:
    """Return this instant."""
    return Moment(boottime(), utc_now())
