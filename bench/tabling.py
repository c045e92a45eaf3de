"""`mlq results` of a large sweep, beside `mlq ls --json` of the same."""

from __future__ import annotations

import subprocess
import time

from bench.installation import MLQ, Installation, installation
from bench.report import Row, spread
from mlq.metrics.extent import Extent, metrics_text
from mlq.store import keys

VALUES, SEEDS = 2_000, 5
METRICS = ("train/loss", "val/loss", "val/acc", "val/f1")
_PAGE = 1000


def measure(runs: int) -> list[Row]:
    """Return seconds a process, interleaved, for 10,000 finished members with four metrics."""
    words = ["enqueue", "--yes", "-n", "large", "--param", f"lr=1..{VALUES}"]
    words += ["--seeds", str(SEEDS), "--", "python", "train.py", "{args}"]
    commands = {
        "mlq results": ["results", "large"],
        "mlq results --sort": ["results", "large", "--sort", "-acc"],
        "mlq results --over": ["results", "large", "--over", "seed", "--sort", "min:val/loss"],
        "mlq results --csv": ["results", "large", "--csv"],
        "mlq ls --json": ["ls", "large", "--json"],
    }
    with installation() as made:
        made.mlq(*words)
        _finish(made, VALUES * SEEDS)
        times: dict[str, list[float]] = {name: [] for name in commands}
        for run in range(runs + 1):
            for name, command in commands.items():
                taken = _seconds(made, *command)
                if run:  # the first fills the caches
                    times[name].append(taken)
    members = f"{VALUES * SEEDS:,} members"
    return [
        Row(f"{name}, {members}", spread(t), "s", "a whole process") for name, t in times.items()
    ]


def _finish(made: Installation, members: int) -> None:
    """Let all members look as if they had finished, with metrics; only what is read is written."""
    client = made.queue().store.client
    for start in range(0, members, _PAGE):
        commands = []
        for at in range(start, min(start + _PAGE, members)):
            found = {
                name: Extent(1 / (at + 2 + n), 60.0, 1 / (at + 3 + n), 41.0, 2.5, 1.0)
                for n, name in enumerate(METRICS)
            }
            fields = ["status", "finished", "mlq_machine", "gpu07", "mlq_attempt", "1"]
            fields += ["started_at", "2026-11-23T22:15:01.123456Z"]
            fields += ["ended_at", f"2026-11-23T22:{15 + at % 40}:31.123456Z"]
            fields += ["mlq_metrics", metrics_text(found)]
            fields += [
                "mlq_used",
                '{"samples":9,"cores":3.9,"gpu_model":"NVIDIA GeForce GTX 1080"}',
            ]
            commands.append(("HSET", keys.job(f"1_{at}"), *fields))
        client.call_many(commands)


def _seconds(made: Installation, *words: str) -> float:
    began = time.perf_counter()
    subprocess.run([MLQ, *words], env=made.environ, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began
