"""What it costs that a job runs the code as it was: `mlq enqueue` with a snapshot and without.

A project of 500 files in git, enqueued for the first time (every file is read, packed, and flushed
to the results root), then unchanged, and in place. The runs take turns, since what else a machine
does changes by the minute.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from bench.installation import MLQ, installation
from bench.report import Row, spread

FILES, FOLDERS, LINES = 500, 25, 120


def measure(runs: int) -> list[Row]:
    """Return milliseconds a process, and by how many a snapshot makes it longer."""
    times: dict[str, list[float]] = {"in place": [], "first snapshot": [], "unchanged": []}
    with installation(snapshot="true") as made:
        made.queue()
        for run in range(runs + 1):
            project = _project(made.folder / f"project{run}", run)
            took = {
                "first snapshot": _enqueue(made.environ, project),
                "unchanged": 0.0,
                "in place": _enqueue(made.environ, project, "--in-place"),
            }
            time.sleep(2.1)  # a file that was just written is read again: git calls that racy
            _enqueue(made.environ, project)
            took["unchanged"] = _enqueue(made.environ, project)
            for name, spent_ms in took.items():
                if run:  # the first fills the caches
                    times[name].append(spent_ms)
    rows = [Row(f"enqueue, {name}", spread(taken), "ms", "") for name, taken in times.items()]
    for name in ("first snapshot", "unchanged"):
        more = [one - base for one, base in zip(times[name], times["in place"], strict=True)]
        rows.append(Row(f"{name}: longer by", spread(more), "ms", f"{FILES} files"))
    return rows


def _project(folder: Path, run: int) -> Path:
    """Make a project in git that no other run has."""
    for number in range(FILES):
        file = folder / f"package{number % FOLDERS}" / f"module{number}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = (f"value_{run}_{line} = {number * line}  # of run {run}" for line in range(LINES))
        file.write_text("\n".join(lines))
    environ = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull}
    who = ("-c", "user.name=bench", "-c", "user.email=bench@example.org")
    for words in (("init", "-q"), ("add", "-A"), (*who, "commit", "-q", "-m", "first")):
        subprocess.run(["git", "-C", folder, *words], env=environ, check=True)
    return folder


def _enqueue(environ: dict[str, str], project: Path, *words: str) -> float:
    began = time.perf_counter()
    subprocess.run(
        [MLQ, "enqueue", *words, "--cwd", project, "python", "train.py"],
        env=environ,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return 1000 * (time.perf_counter() - began)
