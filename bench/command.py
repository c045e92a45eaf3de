"""How quick short commands are: `mlq ls` and `mlq enqueue`, beside an empty Python."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from bench.installation import MLQ, installation
from bench.report import Row, spread

JOBS = 200


def measure(runs: int) -> list[Row]:
    """Return milliseconds a process, interleaved."""
    with installation() as made:
        queue = made.queue()
        queue.enqueue_many([["python", "train.py", "--lr", str(n)] for n in range(JOBS)])
        commands: dict[str, list[str | Path]] = {
            f"mlq ls, {JOBS} jobs": [MLQ, "ls"],
            "mlq enqueue": [MLQ, "enqueue", "python", "train.py", "--lr", "0.1"],
            "python -c pass": [sys.executable, "-c", "pass"],
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        for run in range(runs + 1):
            for name, command in commands.items():
                began = time.perf_counter()
                subprocess.run(command, env=made.environ, stdout=subprocess.DEVNULL, check=True)
                if run:  # the first fills the caches
                    times[name].append(1000 * (time.perf_counter() - began))
    return [Row(name, spread(taken), "ms", "a whole process") for name, taken in times.items()]
