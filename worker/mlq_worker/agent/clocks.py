"""The clocks of a worker, handed in from outside so that a simulation can hand in its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from mlq_worker.ipc.clock import boottime


@dataclass(frozen=True, slots=True)
class Clocks:
    """Three clocks, each in seconds.

    Args:
        boot_s: since the machine booted, suspension included; shared with the supervisor. The
            worker's clock.
        monotonic_s: only while the machine is awake; by it the reaper sees how long a beat stands
            still, so a machine that slept accuses no other.
        utc_s: unix time; for the record only, nothing is decided by it.
    """

    boot_s: Callable[[], float] = boottime
    monotonic_s: Callable[[], float] = time.monotonic
    utc_s: Callable[[], float] = time.time
