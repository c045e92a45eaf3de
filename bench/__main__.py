"""`python -m bench`: measures everything, prints tables, writes bench/results/<time>.json."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from bench import (
    command,
    copying,
    desk,
    gateway,
    idle,
    metrics,
    neighbours,
    noop,
    pinning,
    pulling,
    queueing,
    report,
    scale,
    screen,
    searching,
    snapshot,
    sources,
    sweeping,
    tabling,
)

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Run the measurements that were asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--only",
        action="append",
        help="noop, enqueue, claim, scale, sweep, search, results, command, snapshot, copy,"
        " sources, pull, top, gateway, pinning, desk, neighbours, idle",
    )
    parser.add_argument("--jobs", type=int, default=2000, help="no-op jobs (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="of each measurement (%(default)s)")
    parser.add_argument("--idle-s", type=float, default=60.0, help="seconds idle (%(default)s)")
    parser.add_argument("--claim-most", type=int, default=1_000_000, help="jobs queued at most")
    parser.add_argument("--no-peers", action="store_true", help="mlq alone")
    args = parser.parse_args()
    sizes = [n for n in (1_000, 10_000, 100_000, 1_000_000) if n <= args.claim_most]
    parts: dict[str, tuple[str, Callable[[], list[report.Row]]]] = {
        "idle": ("Idle", lambda: idle.measure(args.idle_s)),
        "metrics": ("Eight jobs that measure themselves", lambda: metrics.measure(args.idle_s)),
        "command": ("A short command", lambda: command.measure(10 * args.rounds)),
        "snapshot": ("The code goes along", lambda: snapshot.measure(3 * args.rounds)),
        "copy": ("A job's own copy of its code", lambda: copying.measure(5 * args.rounds)),
        "sources": (
            "What jobs say of themselves",
            lambda: sources.measure(args.rounds, with_peers=not args.no_peers),
        ),
        "pull": ("What jobs made, fetched", lambda: pulling.measure(args.rounds)),
        "top": ("The live screen", lambda: screen.measure(3 * args.rounds, args.idle_s)),
        "pinning": ("A job kept on its cores", lambda: pinning.measure(10 * args.rounds)),
        "desk": ("Looking at the desk", lambda: desk.measure(args.rounds, args.idle_s)),
        "neighbours": (
            "Two users on one GPU, 2,000 starts each",
            lambda: neighbours.measure(2000),
        ),
        "gateway": ("A short command, from afar", lambda: gateway.measure(10 * args.rounds)),
        "enqueue": ("Enqueue", lambda: queueing.enqueue(10_000, args.rounds)),
        "claim": ("One claim, 20 classes", lambda: queueing.claim(sizes, args.rounds)),
        "scale": ("Many jobs at once", lambda: scale.measure([n for n in sizes if n <= 100_000])),
        "sweep": ("A large sweep", lambda: sweeping.measure(5 * args.rounds)),
        "search": ("The next member of a search", lambda: searching.measure(10 * args.rounds)),
        "results": ("Results of a large sweep", lambda: tabling.measure(3 * args.rounds)),
        "noop": (
            f"{args.jobs:,} no-op jobs, two slots",
            lambda: noop.measure(args.jobs, args.rounds, with_peers=not args.no_peers),
        ),
    }
    unknown = set(args.only or ()) - parts.keys()
    if unknown:
        parser.error(f"no such measurement: {', '.join(sorted(unknown))}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # what runs is ended first
    where = report.machine()
    results: dict[str, list[report.Row]] = {}
    for name, (title, measure) in parts.items():
        if not args.only or name in args.only:
            results[name] = measure()
            print(f"\n{report.table(title, results[name])}", flush=True)
    print(f"written to {report.write(RESULTS, results, where)}")


if __name__ == "__main__":
    main()
