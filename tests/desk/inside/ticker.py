"""A job of several processes, each of which notes the time a hundred times a second.

Arguments: how many processes, and for how long. One of them leaves the session. The note is a file
in memory, so nothing that pauses the job can hide when a process last ran.
"""

import os
import sys
import time
from pathlib import Path

NOTES = Path("/dev/shm/ticks")


def tick(until: float) -> None:
    """Note the time until it is up."""
    note = (NOTES / str(os.getpid())).open("w", buffering=1)
    while time.time() < until:
        note.seek(0)
        note.write(f"{time.time():.3f}\n")
        time.sleep(0.01)


NOTES.mkdir(exist_ok=True)
end = time.time() + float(sys.argv[2])
for number in range(int(sys.argv[1]) - 1):
    if os.fork() == 0:
        if number == 0:
            os.setsid()
        tick(end)
        os._exit(0)
tick(end)
