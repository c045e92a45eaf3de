"""A large sweep as it is typed: enqueued, enqueued again with all known, and `mlq ls` beside it."""

from __future__ import annotations

import subprocess
import time

from bench.installation import MLQ, Installation, installation
from bench.report import Row, spread

VALUES, SEEDS, JOBS = 10_000, 5, 200


def measure(runs: int) -> list[Row]:
    """Return seconds of the sweep, and milliseconds of `mlq ls` beside it and beside few jobs."""
    words = ["enqueue", "--yes", "-n", "large", "--param", f"lr=1..{VALUES}"]
    words += ["--seeds", str(SEEDS), "--", "python", "train.py", "{args}"]
    with installation() as large, installation() as small:
        small.queue().enqueue_many([["python", "train.py", "--lr", str(n)] for n in range(JOBS)])
        members = f"{VALUES * SEEDS:,} members"
        rows = [
            Row(f"{members} enqueued", (_seconds(large, *words),) * 3, "s", "a whole process"),
            Row(f"{members}, all known", (_seconds(large, *words),) * 3, "s", "a whole process"),
        ]
        times: dict[str, list[float]] = {members: [], f"{JOBS} jobs": []}
        for run in range(runs + 1):
            for made, taken in zip((large, small), times.values(), strict=True):
                spent = 1000 * _seconds(made, "ls")
                if run:  # the first fills the caches
                    taken.append(spent)
        rows += [Row(f"mlq ls beside {one}", spread(t), "ms", "") for one, t in times.items()]
    return rows


def _seconds(made: Installation, *words: str) -> float:
    began = time.perf_counter()
    subprocess.run([MLQ, *words], env=made.environ, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began
