"""`make simulate SEEDS=10000`: run seeds on all cores; the first failing ones tell their story."""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing import get_context

from redis_server import private_server

from simulation.planted import BUGS
from simulation.world import Outcome, simulate

_SHOWN, _CHUNK = 3, 25


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


@dataclass
class Campaign:
    """What came of many seeds."""

    seeds: int = 0
    simulated_s: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    failed: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        self.seeds += 1
        self.simulated_s += outcome.simulated_s
        self.faults.update(outcome.faults)
        self.counts.update(outcome.counts)
        if outcome.violation:
            self.failed.append(outcome)
            _show("")
            sys.stdout.write(f"seed {outcome.seed}: {outcome.violation}\n")
            sys.stdout.flush()

    def report(self) -> str:
        """The stories of the first failing seeds, and the figures."""
        stories = [f"\n{one.story}\n{one.violation}\n" for one in self.failed[:_SHOWN]]
        return "".join(stories) + (
            f"{self.seeds} seeds, {self.simulated_s / 3600:.0f} simulated hours; "
            f"{len(self.failed)} violations\n"
            f"faults: {sum(self.faults.values())} {dict(sorted(self.faults.items()))}\n"
            f"seen: {dict(sorted(self.counts.items()))}\n"
        )


def run(seeds: range, jobs: int) -> Campaign:
    """Run seeds in so many processes, each with a server of its own."""
    campaign = Campaign()
    size = max(1, min(_CHUNK, len(seeds) // jobs))
    with get_context("spawn").Pool(jobs) as pool:
        for outcomes in pool.imap_unordered(_some, _chunks(seeds, size)):
            for outcome in outcomes:
                campaign.add(outcome)
            _show(f"{campaign.seeds:,} of {len(seeds):,} seeds, {len(campaign.failed)} violations")
    _show("")
    return campaign


def _show(progress: str) -> None:
    """Show progress in place of what was shown before, on a terminal only."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{progress}")
        sys.stderr.flush()


def _hunted(name: str, seeds: range) -> str:
    bug = BUGS[name]
    with private_server() as server:
        for seed in seeds:
            outcome = simulate(seed, server, bug.lay, bug.alter)
            if outcome.violation:
                return f"found at seed {seed}: {outcome.violation}"
    return ""


def hunt(seeds: range, jobs: int) -> bool:
    """Plant each bug and say which seed finds it first; returns whether all are found."""
    with get_context("spawn").Pool(jobs) as pool:
        hunts = {name: pool.apply_async(_hunted, (name, seeds)) for name in BUGS}
        found = True
        for name, one in hunts.items():
            told = one.get()
            found = found and bool(told)
            sys.stdout.write(f"{name + ':':52} {told or f'not in {len(seeds)} seeds'}\n")
            sys.stdout.flush()
    return found


def main() -> int:
    """Run the seeds; returns 1 if one of them fails."""
    parser = argparse.ArgumentParser(prog="simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many seeds")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="only this one; tells its story in any case")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="at the same time")
    parser.add_argument("--planted", action="store_true", help="find the planted bugs instead")
    options = parser.parse_args()
    if options.planted:
        return not hunt(range(options.first, options.first + options.seeds), options.jobs)
    if options.seed is not None:
        with private_server() as server:
            outcome = simulate(options.seed, server)
        sys.stdout.write(f"{outcome.story}\n{outcome.violation or 'no violation'}\n")
        return bool(outcome.violation)
    campaign = run(range(options.first, options.first + options.seeds), options.jobs)
    sys.stdout.write(campaign.report())
    return bool(campaign.failed)
