"""What the peers' programs share. They run in bench/.venv, which has the peers and not mlq."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable

REDIS_SOCKET = os.environ.get("BENCH_REDIS", "")
WARM_UP = 40


def run_true() -> None:
    """Run the no-op command as a function of one's own would."""
    subprocess.run(["true"], check=True)


def measure(enqueue: Callable[[int], None], ended: Callable[[], int]) -> None:
    """Print the seconds from the first enqueue to the last recorded end.

    Args:
        enqueue: puts so many jobs in the queue.
        ended: how many ends are recorded so far.
    """
    count = int(sys.argv[1])
    enqueue(WARM_UP)
    _wait(ended, WARM_UP)
    began = time.perf_counter()
    enqueue(count)
    _wait(ended, WARM_UP + count)
    print(time.perf_counter() - began)


def _wait(ended: Callable[[], int], count: int) -> None:
    deadline = time.perf_counter() + 240
    while ended() < count:
        if time.perf_counter() > deadline:
            sys.exit(f"{ended()} of {count} ended after 240 s")
        time.sleep(0.002)
