"""The job of the chaos: it ticks into a folder on the local disk for so long, then says it is done.

`python -I -S job.py FOLDER SECONDS`: FOLDER/ticks/JOB.ATTEMPT gets CLOCK_MONOTONIC every 20 ms,
FOLDER/where/JOB.ATTEMPT the machine (from its mark), FOLDER/done/JOB appears at the end. It imports
little, because ten thousand of them run.
"""

import os
import sys
import time

_TICK_S = 0.02
_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND


def main(folder: str, seconds: float) -> None:
    """Tick for so many seconds."""
    job = os.environ["MLQ_JOB_ID"]
    attempt = f"{job}.{os.environ['MLQ_ATTEMPT']}"
    where = os.open(f"{folder}/where/{attempt}", _APPEND, 0o600)
    os.write(where, os.environ["MLQ_MARK"].split(":")[2].encode())
    ticks = os.open(f"{folder}/ticks/{attempt}", _APPEND, 0o600)
    for _ in range(max(1, int(seconds / _TICK_S))):
        os.write(ticks, f"{time.monotonic():.3f}\n".encode())
        time.sleep(_TICK_S)
    os.close(os.open(f"{folder}/done/{job}", _APPEND, 0o600))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
