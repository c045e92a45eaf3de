"""The process table, as /proc shows it, and which attempt a process belongs to.

This module reads only /proc, no file system that may hang. A process cannot leave its keeper (see
`keeper`), so an attempt's processes are those below its keeper.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from mlq_worker.keeper.start import SWEEP

MARK_VARIABLE = "MLQ_MARK"
_ZOMBIE_STATES = frozenset("ZX")
_SWEEPER = b"\0".join((b"/bin/sh", b"-c", SWEEP.encode("ascii"), b""))


class Process(NamedTuple):
    """One line of the process table; `start` is the start time in clock ticks since boot."""

    pid: int
    state: str
    parent: int
    group: int
    session: int
    start: int


class Target(NamedTuple):
    """Whose processes are meant: those below this keeper, once it is known."""

    pid: int | None = None
    pid_start: int | None = None


def look_at(pid: int) -> Process | None:
    """Return one process, or None if there is no such process."""
    line = read(f"/proc/{pid}/stat")
    if line is None:
        return None
    fields = line[line.rindex(b")") + 2 :].split()  # the name before it may hold anything
    state, (parent, group, session, start) = fields[0], (fields[n] for n in (1, 2, 3, 19))
    return Process(pid, state.decode("ascii"), int(parent), int(group), int(session), int(start))


def read(path: str) -> bytes | None:
    """Return a file of /proc, None if the process is gone; `open` would cost five times that."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError):
        return None
    content = b""
    try:
        while chunk := os.read(descriptor, 1 << 16):
            content += chunk
    except ProcessLookupError:
        return None
    finally:
        os.close(descriptor)
    return content


def look() -> dict[int, Process]:
    """Return all processes but zombies, by pid."""
    found = (look_at(int(name)) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208 - names only, ten times a second
    return {
        process.pid: process for process in found if process and process.state not in _ZOMBIE_STATES
    }


def mark_of(pid: int) -> str:
    """Return the mark in a process's environment; "" if it has none or is not ours to read.

    A keeper that sweeps has none, and shows its mark as the name of its script.
    """
    try:
        with Path(f"/proc/{pid}/environ").open("rb", buffering=0) as file:
            environment = file.readall()
        with Path(f"/proc/{pid}/cmdline").open("rb", buffering=0) as file:
            command = file.read(len(_SWEEPER) + 256)
    except OSError:
        return ""  # gone, or another user's: not ours in either case
    name = MARK_VARIABLE.encode("ascii") + b"="
    _, found, rest = (b"\0" + environment).partition(b"\0" + name)
    if not found and command.startswith(_SWEEPER):
        rest = command.removeprefix(_SWEEPER)
    return os.fsdecode(rest.split(b"\0", 1)[0])


def below(
    table: dict[int, Process], roots: Collection[int], spare: Collection[int] = ()
) -> dict[int, Process]:
    """Return the processes of the table below the roots, by pid: without the roots.

    Args:
        table: the process table.
        roots: pids.
        spare: pids that are left out, with all below them.
    """
    children: dict[int, list[Process]] = {}
    for process in table.values():
        children.setdefault(process.parent, []).append(process)
    found: dict[int, Process] = {}
    unseen = list(roots)
    while unseen:
        for process in children.get(unseen.pop(), ()):
            if process.pid not in spare and process.pid not in found:
                found[process.pid] = process
                unseen.append(process.pid)
    return found


def lives(target: Target, table: dict[int, Process]) -> bool:
    """Return whether the pid still is this keeper's."""
    seen = table.get(target.pid or 0)
    return seen is not None and target.pid_start in (None, seen.start)


def leader_of(target: Target, table: dict[int, Process]) -> Process | None:
    """Return the first process that the job started with, the oldest child of its keeper.

    What became a child later, an orphan, is younger.
    """
    if not lives(target, table):
        return None
    children = [process for process in table.values() if process.parent == target.pid]
    return min(children, key=lambda process: (process.start, process.pid), default=None)


def signal_name(number: int) -> str:
    """Return the name of a signal."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"  # a real-time signal
