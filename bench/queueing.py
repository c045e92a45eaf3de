"""What the queue itself costs: to put jobs in, and to claim one however many wait."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from bench.installation import Installation, installation
from bench.report import Row, spread
from mlq import Queue
from mlq.store.operations import Claimant

CLASSES = 20
CLAIMS = 100
_WHO = Claimant("bench", "boot", "supervisor")


def enqueue(count: int, rounds: int) -> list[Row]:
    """Jobs a second through the Python API, acknowledged when they are on the server's disk."""
    rates = []
    with installation() as made:
        queue = made.queue()
        queue.enqueue(["true"])
        for _ in range(rounds):
            began = time.perf_counter()
            queue.enqueue_many([["python", "train.py", str(n)] for n in range(count)])
            rates.append(count / (time.perf_counter() - began))
    note = "`Queue.enqueue_many`, numbered, signed, on disk"
    return [Row(f"enqueue {count:,} jobs", spread(rates), "jobs/s", note)]


def claim(sizes: list[int], rounds: int) -> list[Row]:
    """One claim of one job, while so many wait in 20 classes."""
    rows: list[Row] = []
    with installation(redis_fsync="everysec") as made:
        fits = _seed(made.queue())
        queued = CLASSES
        for size in sizes:
            _fill(made.queue(), queued, size)
            queued = size
            measured = [_claims(made, fits) for _ in range(rounds)]
            queued -= (CLAIMS + 1) * rounds
            for at, (what, unit) in enumerate((("server", "us"), ("round trip", "us"))):
                name = f"claim, {size:,} queued: {what}"
                rows.append(Row(name, spread([one[at] for one in measured]), unit, ""))
    return rows


def _seed(queue: Queue) -> list[tuple[str, int]]:
    """One real job in each class; returns what a machine would say that fits."""
    ids = [queue.enqueue(["true"], priority=number).id for number in range(CLASSES)]
    return [(view.class_name, 1) for view in queue.views(ids)]


def _fill(queue: Queue, queued: int, size: int) -> None:
    """Copy the seeds under new ids until so many wait: the keys and lists of real jobs."""
    client = queue.store.client
    seeds = [f"rq:job:{number}" for number in range(1, CLASSES + 1)]
    hashes = [_flat(client.call("HGETALL", key)) for key in seeds]
    lists = [f"rq:queue:{dict(zip(one[::2], one[1::2], strict=True))['origin']}" for one in hashes]
    first = queue.store.reserve_numbers(size - queued)
    for batch in _batches(range(first, first + size - queued), 2000):
        commands: list[Any] = []
        for number in batch:
            key = f"rq:job:{number}"
            commands += [
                ("HSET", key, *hashes[number % CLASSES]),
                ("RPUSH", lists[number % CLASSES], number),
                ("ZADD", "mlq:jobs", number, number),
                ("ZADD", "mlq:unended", number, number),
            ]
        client.call_many(commands)


def _claims(made: Installation, fits: list[tuple[str, int]]) -> tuple[float, float]:
    """Microseconds of a claim: on the server, and as the worker sees it."""
    queue = made.queue()
    client = queue.store.client
    queue.store.claim(fits, _WHO, 3600, time.time())  # loads the script
    before = _evalsha(client.call("INFO", "commandstats"))
    began = time.perf_counter()
    for _ in range(CLAIMS):
        queue.store.claim(fits, _WHO, 3600, time.time())
    trip_us = (time.perf_counter() - began) / CLAIMS * 1e6
    after = _evalsha(client.call("INFO", "commandstats"))
    return (after[1] - before[1]) / (after[0] - before[0]), trip_us


def _evalsha(stats: Any) -> tuple[int, int]:
    """How many scripts ran, and for how many microseconds in all."""
    if isinstance(stats, bytes):
        line = next(one for one in stats.decode().split() if one.startswith("cmdstat_evalsha:"))
        stats = dict(pair.split("=") for pair in line.partition(":")[2].split(","))
    else:  # redis-py parses this reply
        stats = stats["cmdstat_evalsha"]
    return int(stats["calls"]), int(stats["usec"])


def _flat(reply: Any) -> list[str]:
    pairs = reply.items() if isinstance(reply, dict) else zip(reply[::2], reply[1::2], strict=True)
    return [part.decode() for pair in pairs for part in pair]


def _batches(numbers: range, size: int) -> Iterator[range]:
    for start in range(0, len(numbers), size):
        yield numbers[start : start + size]
