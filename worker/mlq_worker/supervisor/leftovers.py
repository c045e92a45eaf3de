"""Ending what an earlier supervisor left, before its successor starts anything or beats.

The kernel kills a launcher with its supervisor, and each keeper then ends what is below it; this
module waits for that and helps. Invariant: it touches nothing that a living supervisor holds, even
with the same marks, and nothing but launchers, keepers, marked processes and those below them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from itertools import pairwise
from pathlib import Path

from mlq_worker.ipc import processes
from mlq_worker.ipc.host import Host
from mlq_worker.ipc.procfs import Process, below

SUPERVISOR = "mlq_worker.supervisor"
LAUNCHERS = ("mlq_worker.launcher", "mlq_worker.supervisor.launcher")
"""The second is its name in versions up to 0.1, one of whose launchers may be left."""
_ROUNDS = 100
_PAUSE_S = 0.02


def end_leftovers(host: Host, mark_prefix: str) -> None:
    """Kill the launchers and every process of earlier supervisors' jobs.

    One that cannot die now, stuck in a hung disk, runs no further instruction of its own.
    """
    for _ in range(_ROUNDS):
        if not processes.kill_all(host, lambda: left(host, mark_prefix)):
            return
        time.sleep(_PAUSE_S)
    host.note(
        "some processes of an earlier supervisor's jobs do not die; they are stuck in the kernel"
    )


def left(host: Host, mark_prefix: str) -> dict[int, Process]:
    """Return the processes that no living supervisor holds: launchers, marked, all below them."""
    table = host.look()
    launchers = {pid for pid in table if is_module(pid, LAUNCHERS, f"--mark-prefix={mark_prefix}")}
    held = {pid for pid in launchers if is_module(table[pid].parent, (SUPERVISOR,))}
    found = {pid: table[pid] for pid in launchers - held}
    found |= processes.marked(host, mark_prefix, {os.getpid()}, table)
    found |= below(table, found)
    spared = held | below(table, held).keys() | {os.getpid()}
    return {pid: process for pid, process in found.items() if pid not in spared}


def is_module(pid: int, modules: Collection[str], argument: str = "") -> bool:
    """Return whether a process is Python running one of these modules, with this argument."""
    try:
        with Path(f"/proc/{pid}/cmdline").open("rb", buffering=0) as file:
            words = os.fsdecode(file.readall()).split("\0")
    except OSError:
        return False
    named = any(dash == "-m" and word in modules for dash, word in pairwise(words))
    return named and (not argument or argument in words)
