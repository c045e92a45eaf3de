"""What it costs a worker that eight jobs measure themselves: its own CPU time, and its collector's.

The jobs are real and know nothing of mlq: each draws a progress bar ten times a second and prints a
line of JSON each second. On a machine with fewer cores the worker is made to believe in eight.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from bench.installation import Installation, installation
from bench.processes import Cpu, cpu, memory_mib
from bench.report import Row

JOBS = 8
SETTLE_S = 70.0  # the first readings, which read what was there before
TRAIN = """
import json, sys, time
for step in range(1_000_000):
    for tenth in range(10):
        bar = f"{step % 1000:4d}/1000 [00:01<00:03, 10.00it/s]"
        sys.stderr.write(f"\\repoch 3: {step % 1000 // 10:3d}%|####      | {bar}")
        sys.stderr.flush()
        time.sleep(0.1)
    print("\\n" + json.dumps({"step": step, "loss": 1 / (step + 1), "acc": 0.5}), flush=True)
"""
_EIGHT_CORES = "import os\nos.sched_getaffinity = lambda _: set(range(8))\n"


def measure(seconds: float) -> list[Row]:
    """Return the share of a core that worker and collector take, over so many seconds."""
    with installation(guest="mine") as made:
        (made.folder / "sitecustomize.py").write_text(_EIGHT_CORES)
        made.environ["PYTHONPATH"] = str(made.folder)
        script = made.folder / "train.py"
        script.write_text(TRAIN)
        with made.worker(JOBS) as pids:
            queue = made.queue()
            queue.enqueue_many([[sys.executable, str(script)]] * JOBS, mem="50M", python_env="")
            time.sleep(SETTLE_S)
            return _rows(made, pids["worker"], seconds)


def _rows(made: Installation, worker: int, seconds: float) -> list[Row]:
    collector = _collector(worker)
    before = cpu(worker), cpu(collector)
    began = time.perf_counter()
    time.sleep(seconds)
    took_s = time.perf_counter() - began
    after = cpu(worker), cpu(collector)
    store = made.queue().store
    ids = [job.id for job in made.queue().unended()]
    known = store.reads.rows(("status", "mlq_metrics", "mlq_used"), ids)
    assert [row[1] for row in known] == ["started"] * JOBS, known
    assert all(row[2] and row[3] for row in known), known
    shares = [_percent(new - old, took_s) for new, old in zip(after, before, strict=True)]
    return [
        _row("worker with 8 jobs: CPU", shares[0], "% of a core"),
        _row("its collector: CPU", shares[1], "% of a core"),
        _row("its collector: memory", memory_mib(collector)[1], "MiB PSS"),
    ]


def _percent(used: Cpu, took_s: float) -> float:
    return 100 * used.own_s / took_s


def _collector(worker: int) -> int:
    children = Path(f"/proc/{worker}/task").glob("*/children")
    pids = [int(pid) for one in children for pid in one.read_text(encoding="ascii").split()]
    commands = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids}
    return next(pid for pid, command in commands.items() if b"mlq_worker.collector" in command)


def _row(what: str, value: float, unit: str) -> Row:
    return Row(what, (value, value, value), unit, "")
