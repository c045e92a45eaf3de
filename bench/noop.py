"""No-op jobs in two slots, from the first enqueue to the last recorded end.

mlq does all that it always does: a lease each, a log, a result file flushed to disk before the end
is reported, a server that flushes each write. One thing is set: `guest` is `mine`, since
otherwise the worker would hold back cores while the benchmark itself keeps them busy.

The measurements are interleaved, A B C A B C, so that a machine that gets busy is busy for all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import peers
from bench.installation import Installation, installation
from bench.processes import Cpu, cpu
from bench.report import Row, spread

WARM_UP = 100
MEMORY = Path("/dev/shm")
_POLL_S = 0.002


def measure(count: int, rounds: int, with_peers: bool) -> list[Row]:
    """Return jobs a second for mlq and its peers, the quickest first."""
    contestants: dict[str, tuple[str, Callable[[int], float]]] = {}
    if with_peers:
        peers.install()
        contestants = {peer.name: (peer.how, peer.seconds) for peer in peers.PEERS}
    costs: dict[str, float] = {}
    contestants["mlq"] = (
        "1 worker, --cores 2, results root on disk",
        lambda n: _mlq(n, None, costs),
    )
    if MEMORY.is_dir():
        how = "the same with its folders in memory: what of it is the disk"
        contestants["mlq in memory"] = (how, lambda n: _mlq(n, MEMORY, {}))
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    skipped: dict[str, str] = {}
    for round_ in range(rounds):
        for name, (_, seconds) in contestants.items():
            if name in skipped:
                continue
            try:
                rates[name].append(count / seconds(count))
            except peers.UnavailableError as error:
                skipped[name] = str(error)
                continue
            print(f"round {round_ + 1}: {name}: {rates[name][-1]:.0f} jobs/s", flush=True)
    rows = [
        Row(name, spread(rates[name]) if rates[name] else None, "jobs/s", skipped.get(name, how))
        for name, (how, _) in contestants.items()
    ]
    rows.sort(key=lambda row: -(row.spread or (0,))[0])
    return rows + [
        Row(f"mlq's CPU: {name}", (ms, ms, ms), "ms/job", "on disk, last round")
        for name, ms in costs.items()
    ]


def _mlq(count: int, parent: Path | None, costs: dict[str, float]) -> float:
    with _ready(parent) as (made, pids):
        before = {name: cpu(pid) for name, pid in pids.items()}
        seconds = run(made, count)
        for name, pid in pids.items():
            used: Cpu = cpu(pid) - before[name]
            costs[name] = 1000 * used.own_s / count
            if name == "launcher":
                costs["the jobs themselves"] = 1000 * used.children_s / count
        return seconds


@contextmanager
def _ready(parent: Path | None) -> Iterator[tuple[Installation, dict[str, int]]]:
    with installation(parent, guest="mine") as made, made.worker() as pids:
        run(made, WARM_UP)
        yield made, pids


def run(made: Installation, count: int) -> float:
    """Enqueue no-op jobs and wait until the last one's end is recorded; return the seconds."""
    queue = made.queue()
    began = time.perf_counter()
    queue.enqueue_many([["true"]] * count)
    while queue.store.client.call("ZCARD", "mlq:unended"):
        time.sleep(_POLL_S)
    return time.perf_counter() - began
