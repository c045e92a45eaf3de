"""How quick a short command is when the queue is on another host, behind a gateway.

Gateway and host are real sshd processes of this machine (those of the tests), so no network adds
its own time. The first command connects twice, one ssh inside the other, and starts the tunnel that
the next ones find up.
"""

from __future__ import annotations

import os
import shutil
import signal
import time

from laptop import Laptop, new_laptop
from sandbox import Sandbox, new_sandbox
from ssh_world import SSHD, new_ssh_world

from bench.report import Row, spread

JOBS = 200
WAYS = ("openssh", "sshtunnel")


def measure(runs: int) -> list[Row]:
    """Return milliseconds a process: the first `mlq ls`, the later ones, and those on the host."""
    if not SSHD or not shutil.which("ssh"):
        return [Row("mlq ls through a gateway", None, "ms", "not measured: no sshd or no ssh here")]
    with new_sandbox() as home:
        home.start_server()
        home.queue().enqueue_many([["python", "train.py", "--lr", str(n)] for n in range(JOBS)])
        rows = [row for way in WAYS for row in _one_way(home, way, runs)]
        home.stop_server()
    return rows


def _one_way(home: Sandbox, way: str, runs: int) -> list[Row]:
    first, later, there = [], [], []
    with new_ssh_world() as world, new_laptop(home, world, MLQ_TUNNEL=way) as laptop:
        for _ in range(max(1, runs // 10)):
            first.append(_ls(laptop))
            later += [_ls(laptop) for _ in range(10)]
            there += [_ls(home) for _ in range(10)]
            _leave(laptop)
    return [
        Row(f"first mlq ls, {way}", spread(first), "ms", "connects through the gateway"),
        Row(f"next mlq ls, {way}", spread(later), "ms", "the tunnel is up"),
        Row("mlq ls on the queue's host", spread(there), "ms", "beside it"),
    ]


def _ls(where: Sandbox) -> float:
    began = time.perf_counter()
    where.ok("ls")
    return 1000 * (time.perf_counter() - began)


def _leave(laptop: Laptop) -> None:
    """End the tunnel, so that the next command is a first one."""
    for keeper in laptop.keepers:
        os.kill(keeper, signal.SIGTERM)
    laptop.until_left()
