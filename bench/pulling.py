"""`mlq pull` against `rsync -a` on one machine: many small files, and a large one.

Each is fetched into a new folder, and fetched again unchanged; the two take turns. rsync is given
less to do: it makes no table, asks no queue, and fetches what a job has put there as it is.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

from bench.folders import new_folder
from bench.installation import MACHINE, MLQ, Installation, installation
from bench.report import Row, spread
from mlq.store.operations import Claimant

FILES, SMALL_BYTES, LARGE_BYTES = 1_000, 20_000, 1 << 30
_CHUNK = 1 << 20


def measure(runs: int) -> list[Row]:
    """Return milliseconds a process; without rsync there is only ours."""
    with installation() as made:
        sets = {
            f"{FILES:,} files of 20 KB": _job(made, [SMALL_BYTES] * FILES),
            "1 file of 1 GiB": _job(made, [LARGE_BYTES]),
        }
        times: dict[str, list[float]] = {}
        for run in range(runs + 1):
            for name, (job_id, source) in sets.items():
                to = new_folder()
                commands = {"mlq pull": [MLQ, "pull", job_id, to / "ours"]}
                if shutil.which("rsync"):
                    commands["rsync -a"] = ["rsync", "-a", f"{source}/", to / "theirs"]
                for what, command in commands.items():
                    for when in ("first", "again"):
                        spent_ms = _spent_ms(made, command)
                        if run:  # the first fills the caches
                            times.setdefault(f"{what}, {name}, {when}", []).append(spent_ms)
                for large in to.rglob("f0"):
                    large.unlink()  # else the disk would be full soon
    return [Row(name, spread(taken), "ms", "a whole process") for name, taken in times.items()]


def _job(made: Installation, sizes: list[int]) -> tuple[str, Path]:
    """Make a job that has written files of these sizes; return its id and its folder."""
    queue = made.queue()
    (job,) = queue.enqueue_many([["true"]])
    (view,) = queue.views([job.id])
    claimant = Claimant(MACHINE, "boot", "supervisor")
    queue.store.claim([(view.class_name, 1)], claimant, 3600.0, time.time())
    output = queue.layout.output_dir(job.id)
    output.mkdir(parents=True)
    for number, size in enumerate(sizes):
        with (output / f"f{number}").open("wb") as file:
            for at in range(0, size, _CHUNK):
                file.write(os.urandom(min(_CHUNK, size - at)))
    return job.id, Path(queue.layout.folder(job.id).path)


def _spent_ms(made: Installation, command: list[str | Path]) -> float:
    began = time.perf_counter()
    subprocess.run(
        command, env=made.environ, cwd=made.folder, stdout=subprocess.DEVNULL, check=True
    )
    return 1000 * (time.perf_counter() - began)
