"""What many jobs cost at once: seconds of each operation, and the longest hold of the server."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from typing import Any

from bench.installation import MLQ, Installation, installation
from bench.report import Row
from mlq.lifecycle import Event
from mlq.store.operations import Claimant, Move

_WHO = Claimant("bench", "boot", "supervisor")


def measure(sizes: list[int]) -> list[Row]:
    """Seconds for so many jobs."""
    rows: list[Row] = []
    for size in sizes:
        with installation(redis_fsync="everysec") as made:
            rows += _operations(made, size)
        with installation(redis_fsync="everysec") as made:
            rows.append(_children(made, size))
    return rows


def _operations(made: Installation, size: int) -> list[Row]:
    queue = made.queue()
    queue.enqueue(["true"])
    before = _memory(queue.store.client)
    commands = [["python", "train.py", "--seed", str(number)] for number in range(size)]
    jobs: list[Any] = []
    rows = [_timed(size, "enqueue", lambda: jobs.extend(queue.enqueue_many(commands)))]
    bytes_a_job = (_memory(queue.store.client) - before) / size
    rows.append(Row(f"{size:,}: memory", (bytes_a_job,) * 3, "bytes a job", "used_memory"))
    rows.append(_timed(size, "mlq ls", lambda: _command(made, "ls")))
    rows.append(_timed(size, "mlq ls --json", lambda: _command(made, "ls", "--json")))
    ids = [job.id for job in jobs]
    for what, chosen in (("all", ids), ("younger half", ids[size // 2 :]), ("odd", ids[::2])):
        rows.append(_timed(size, f"cancel {what}", lambda some=chosen: queue.cancel(some)))
        rows.append(_timed(size, f"retry {what}", lambda some=chosen: queue.retry(some)))
    return rows


def _children(made: Installation, size: int) -> Row:
    queue = made.queue()
    parent = queue.enqueue(["true"])
    queue.enqueue_many([["true"]] * size, after=[parent.id])
    fits = [(parent.view().class_name, 1)]
    (claim,) = queue.store.claim(fits, _WHO, 3600, time.time())
    move = Move(parent.id, Event.SUCCEED, claim.attempt)
    return _timed(size, "end of a parent of all", lambda: queue.store.move([move], time.time()))


def _command(made: Installation, *words: str) -> None:
    subprocess.run([MLQ, *words], env=made.environ, stdout=subprocess.DEVNULL, check=True)


def _timed(size: int, what: str, act: Callable[[], object]) -> Row:
    began = time.perf_counter()
    act()
    taken = time.perf_counter() - began
    return Row(f"{size:,}: {what}", (taken,) * 3, "s", "")


def _memory(client: Any) -> int:
    info = client.call("INFO", "memory")
    if isinstance(info, dict):  # redis-py parses this reply
        return int(info["used_memory"])
    line = next(one for one in info.decode().split() if one.startswith("used_memory:"))
    return int(line.partition(":")[2])
