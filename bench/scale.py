"""What many jobs cost at once: seconds of each operation, and the longest hold of the server.

The server does one thing at a time; what it does for one command nobody else is answered during. So
beside each time stands how long the longest single command took it, by its own SLOWLOG: without
the disk, to which it writes afterwards.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import redis

from bench.installation import MLQ, Installation, installation
from bench.report import Row
from mlq.copies.keeper import CopyKeeper, root_of_queue
from mlq.jobs.lifecycle import Event
from mlq.server import control as server
from mlq.settings.load import load
from mlq.store.operations import Claimant, Move

_WHO = Claimant("bench", "boot", "supervisor")
_SLOW_MOST = 100_000
_RESTORE = ("server", "restore", "--yes")
_WATCHER, _PASSWORD = "watcher", "of a benchmark"


def measure(sizes: list[int]) -> list[Row]:
    """Seconds for so many jobs."""
    rows: list[Row] = []
    for size in sizes:
        with _watched() as (made, watcher):
            rows += _operations(made, watcher, size)
        with _watched() as (made, watcher):
            rows.append(_children(made, watcher, size))
    return rows


@contextmanager
def _watched() -> Iterator[tuple[Installation, redis.Redis]]:
    digest = hashlib.sha256(_PASSWORD.encode()).hexdigest()
    user = f"user {_WATCHER} reset on #{digest} ~* &* +@all"
    with (
        installation(redis_fsync="everysec", extra_users=[user]) as made,
        _watcher(made) as watcher,
    ):
        yield made, watcher


@contextmanager
def _watcher(made: Installation) -> Iterator[redis.Redis]:
    socket = str(load(made.environ).settings.redis_socket)
    with redis.Redis(unix_socket_path=socket, username=_WATCHER, password=_PASSWORD) as watcher:
        watcher.config_set("slowlog-log-slower-than", 1000)
        watcher.config_set("slowlog-max-len", _SLOW_MOST)
        yield watcher


def _operations(made: Installation, watcher: redis.Redis, size: int) -> list[Row]:
    with made.worker():
        pass  # it makes the results root the queue's
    queue = made.queue()
    queue.enqueue(["true"])
    before = _memory(watcher)
    commands = [["python", "train.py", "--seed", str(number)] for number in range(size)]
    jobs: list[Any] = []
    rows: list[Row] = []

    def time_it(what: str, act: Callable[[], object]) -> None:
        rows.append(_timed(watcher, size, what, act))

    time_it("enqueue", lambda: jobs.extend(queue.enqueue_many(commands)))
    bytes_a_job = (_memory(watcher) - before) / size
    rows.append(Row(f"{size:,}: memory", (bytes_a_job,) * 3, "bytes a job", "used_memory"))
    time_it("mlq ls", lambda: _command(made, "ls"))
    time_it("mlq ls --json", lambda: _command(made, "ls", "--json"))
    ids = [job.id for job in jobs]
    for what, chosen in (("all", ids), ("younger half", ids[size // 2 :]), ("odd", ids[::2])):
        time_it(f"cancel {what}", lambda some=chosen: queue.cancel(some))
        time_it(f"retry {what}", lambda some=chosen: queue.retry(some))
    rows += _commands(made, watcher, ids)
    rows += _restored(made, watcher, size)
    return rows


def _commands(made: Installation, watcher: redis.Redis, ids: list[str]) -> Iterator[Row]:
    """The same, typed."""
    span = f"{ids[0]}-{ids[-1]}"
    for word in ("cancel", "retry"):
        yield _timed(watcher, len(ids), f"mlq {word}", lambda word=word: _command(made, word, span))


def _restored(made: Installation, watcher: redis.Redis, size: int) -> Iterator[Row]:
    """Make the queue anew from a copy."""
    settings = load(made.environ).settings
    layout = root_of_queue(settings.root)
    keeper = CopyKeeper(made.queue().store, layout, settings.machine, settings.keep_days)
    yield _timed(watcher, size, "a copy on the results root", keeper.keep)
    server.stop(settings)
    shutil.rmtree(settings.server_dir)
    yield _timed(None, size, "mlq server restore", lambda: _command(made, *_RESTORE))
    if len(made.queue().unended()) != size + 1:
        raise RuntimeError("not all jobs were restored")


def _children(made: Installation, watcher: redis.Redis, size: int) -> Row:
    queue = made.queue()
    parent = queue.enqueue(["true"])
    queue.enqueue_many([["true"]] * size, after=[parent.id])
    fits = [(parent.view().class_name, 1)]
    (claim,) = queue.store.claim(fits, _WHO, 3600, time.time())
    move = Move(parent.id, Event.SUCCEED, claim.attempt)
    end = lambda: queue.store.move([move], time.time())  # noqa: E731
    return _timed(watcher, size, "end of a parent of all", end)


def _command(made: Installation, *words: str) -> None:
    subprocess.run([MLQ, *words], env=made.environ, stdout=subprocess.DEVNULL, check=True)


def _timed(watcher: redis.Redis | None, size: int, what: str, act: Callable[[], object]) -> Row:
    """Time something; `watcher` is asked for the longest hold meanwhile."""
    if watcher is not None:
        watcher.slowlog_reset()
    began = time.perf_counter()
    act()
    taken = time.perf_counter() - began
    note = "" if watcher is None else _longest_hold(watcher)
    return Row(f"{size:,}: {what}", (taken,) * 3, "s", note)


def _longest_hold(watcher: redis.Redis) -> str:
    slow = [one["duration"] for one in watcher.slowlog_get(_SLOW_MOST)]
    return f"longest hold {max(slow) / 1000:.0f} ms" if slow else "no hold over 1 ms"


def _memory(watcher: redis.Redis) -> int:
    return int(watcher.info("memory")["used_memory"])
