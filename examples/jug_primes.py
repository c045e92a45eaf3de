"""Counts primes with jug: a task for each part of the numbers; all workers share the work.

pip install jug
mlq jug examples/jug_primes.py --workers 4 --wait
"""

from __future__ import annotations

from jug import TaskGenerator

PART, PARTS = 20_000, 12


@TaskGenerator
def count(first: int) -> int:
    """Return how many primes there are from `first` on in one part."""
    numbers = range(max(2, first), first + PART)
    return sum(all(n % d for d in range(2, int(n**0.5) + 1)) for n in numbers)


@TaskGenerator
def total(counts: list[int]) -> int:
    """Return the sum; whichever worker has it last prints it into its log."""
    print(f"{sum(counts)} primes below {PART * PARTS}", flush=True)
    return sum(counts)


result = total([count(part * PART) for part in range(PARTS)])
