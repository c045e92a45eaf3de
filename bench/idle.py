"""What a worker costs that has nothing to do, at default settings."""

from __future__ import annotations

import time

from bench.installation import installation
from bench.processes import cpu, memory_mib, writes
from bench.report import Row

SETTLE_S = 8.0
OURS = ("worker", "supervisor", "launcher")


def measure(seconds: float) -> list[Row]:
    """Return memory, CPU and writes of worker, supervisor and launcher over so many seconds."""
    with installation() as made, made.worker() as pids:
        beat_s = made.queue().settings.beat_s
        time.sleep(SETTLE_S)
        before = {name: (cpu(pid), writes(pid)) for name, pid in pids.items()}
        began = time.perf_counter()
        time.sleep(seconds)
        took_s = time.perf_counter() - began
        busy = {name: (cpu(pid) - before[name][0]).own_s / took_s for name, pid in pids.items()}
        written = {name: writes(pid) - before[name][1] for name, pid in pids.items()}
        memory = {name: memory_mib(pid) for name, pid in pids.items()}
    rows = []
    for name in OURS:
        rows.append(_row(f"{name}: memory", memory[name][1], "MiB PSS"))
        rows.append(_row(f"{name}: CPU", 100 * busy[name], "% of a core"))
    rows.append(_row("together: memory", sum(memory[name][1] for name in OURS), "MiB PSS"))
    rows.append(_row("together: resident", sum(memory[name][0] for name in OURS), "MiB RSS"))
    rows.append(_row("together: CPU", sum(100 * busy[name] for name in OURS), "% of a core"))
    # Files only: what goes over sockets is sent, not written.
    beats = took_s / beat_s
    rows += [_row(f"{name}: writes a beat", written[name] / beats, "system calls") for name in OURS]
    return rows


def _row(what: str, value: float, unit: str) -> Row:
    return Row(what, (value, value, value), unit, "")
