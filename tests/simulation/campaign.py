"""`make simulate SEEDS=10000`: run seeds on all cores; the first failing ones tell their story."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from multiprocessing import get_context

from redis_server import private_server

from simulation.world import Outcome, simulate

_SHOWN = 3


def _some(seeds: list[int]) -> list[Outcome]:
    with private_server() as server:
        return [_brief(simulate(seed, server)) for seed in seeds]


def _brief(outcome: Outcome) -> Outcome:
    if not outcome.violation:
        outcome.story = ""
    return outcome


def _chunks(seeds: range, size: int) -> Iterator[list[int]]:
    for start in range(0, len(seeds), size):
        yield list(seeds[start : start + size])


def main() -> int:
    """Run the seeds; returns 1 if one of them fails."""
    parser = argparse.ArgumentParser(prog="simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many seeds")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="only this one; tells its story in any case")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="at the same time")
    options = parser.parse_args()
    if options.seed is not None:
        with private_server() as server:
            outcome = simulate(options.seed, server)
        sys.stdout.write(f"{outcome.story}\n{outcome.violation or 'no violation'}\n")
        return bool(outcome.violation)
    seeds = range(options.first, options.first + options.seeds)
    faults: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    failed: list[Outcome] = []
    simulated_s, began = 0.0, time.monotonic()
    with get_context("spawn").Pool(options.jobs) as pool:
        for outcomes in pool.imap_unordered(_some, _chunks(seeds, 50)):
            for outcome in outcomes:
                faults.update(outcome.faults)
                counts.update(outcome.counts)
                simulated_s += outcome.simulated_s
                if outcome.violation:
                    failed.append(outcome)
                    sys.stdout.write(f"seed {outcome.seed}: {outcome.violation}\n")
                    sys.stdout.flush()
    for outcome in failed[:_SHOWN]:
        sys.stdout.write(f"\n{outcome.story}\n{outcome.violation}\n")
    sys.stdout.write(
        f"{len(seeds)} seeds, {simulated_s / 3600:.0f} simulated hours in "
        f"{time.monotonic() - began:.0f} s; {len(failed)} violations\n"
        f"faults: {sum(faults.values())} {dict(sorted(faults.items()))}\n"
        f"seen: {dict(sorted(counts.items()))}\n"
    )
    return bool(failed)

