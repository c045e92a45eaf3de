"""A job that notes when it runs, so that two attempts at once can be seen afterwards."""

from __future__ import annotations

import sys

from local_lab import Lab

# Appends "<attempt> <boot time in ms>" to a file that no fault of the tests reaches.
TICKING = """
import os, time
with open("ticks", "a", buffering=1) as file:
    while not os.path.exists(f"end{os.environ['MLQ_ATTEMPT']}"):
        file.write(f"{os.environ['MLQ_ATTEMPT']} {time.clock_gettime(time.CLOCK_BOOTTIME)}\\n")
        time.sleep(0.005)
"""


def ticking(lab: Lab, **options: str) -> str:
    return lab.sandbox.submit(sys.executable, "-c", TICKING, **options)


def ticks(lab: Lab, attempt: int) -> list[float]:
    """Return the instants at which an attempt ran, in seconds of boot time."""
    pairs = [line.split() for line in lab.file("ticks").splitlines()]
    return [float(pair[1]) for pair in pairs if len(pair) == 2 and pair[0] == str(attempt)]
