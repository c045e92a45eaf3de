"""Finding and signalling every process of an attempt, wherever it has hidden.

A job may fork, leave its session (`setsid`) and be orphaned (double fork). Its processes are those
of its leader's session, those that carry its mark in their environment, and all their descendants.
Only /proc is read: no file system that may hang. Invariant: a process is signalled only if it was
just seen to belong to a target; nothing else of the user's is ever touched.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import NamedTuple

MARK_VARIABLE = "MLQ_MARK"
_PASSES = 50  # a fork bomb is stopped generation by generation; the next round goes on
_ZOMBIE_STATES = frozenset("ZX")


class Process(NamedTuple):
    """One line of the process table; `start` is the start time in clock ticks since boot."""

    pid: int
    state: str
    parent: int
    group: int
    session: int
    start: int


class Target(NamedTuple):
    """Whose processes are meant: the leader, if it is known, and the mark."""

    mark: str
    pid: int | None = None
    pid_start: int | None = None


def look_at(pid: int) -> Process | None:
    """One process, or None if there is no such process."""
    line = _read(f"/proc/{pid}/stat")
    if line is None:
        return None
    fields = line[line.rindex(b")") + 2 :].split()  # the name before it may hold anything
    state, (parent, group, session, start) = fields[0], (fields[n] for n in (1, 2, 3, 19))
    return Process(pid, state.decode("ascii"), int(parent), int(group), int(session), int(start))


def _read(path: str) -> bytes | None:
    """A file of /proc, or None if the process is gone; `open` would cost five times as much."""
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
    """All processes but zombies, by pid."""
    found = (look_at(int(name)) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208 - names only, ten times a second
    return {
        process.pid: process for process in found if process and process.state not in _ZOMBIE_STATES
    }


def mark_of(pid: int) -> str:
    """The mark in a process's environment; "" if it has none or is not ours to read."""
    try:
        with Path(f"/proc/{pid}/environ").open("rb", buffering=0) as file:
            environment = file.readall()
    except OSError:
        return ""  # gone, or another user's: not ours in either case
    name = MARK_VARIABLE.encode("ascii") + b"="
    _, found, rest = (b"\0" + environment).partition(b"\0" + name)
    return os.fsdecode(rest.split(b"\0", 1)[0]) if found else ""


def children_of(pid: int) -> list[int] | None:
    """The children of a process's first thread; None if this kernel does not list them."""
    listed = _read(f"/proc/{pid}/task/{pid}/children")
    return None if listed is None else [int(child) for child in listed.split()]


def members(
    targets: Collection[Target], spare: Collection[int], table: dict[int, Process] | None = None
) -> dict[int, Process]:
    """The processes of the targets, by pid.

    Args:
        targets: the attempts meant.
        spare: pids that are never members, though they descend from one or carry a mark.
        table: the process table; looked at now unless given.
    """
    table = look() if table is None else table
    sessions = {target.pid for target in targets if target.pid is not None}
    for target in targets:
        leader = table.get(target.pid) if target.pid is not None else None
        if leader and target.pid_start is not None and leader.start != target.pid_start:
            sessions.discard(target.pid)  # the number belongs to somebody else by now
    marks = {target.mark for target in targets}
    oldest = min((target.pid_start or 0 for target in targets), default=0)
    return _with_descendants(
        table,
        spare,
        lambda process: (
            process.session in sessions
            or (process.start >= oldest and mark_of(process.pid) in marks)
        ),
    )


def marked(prefix: str, spare: Collection[int], root: int | None = None) -> dict[int, Process]:
    """The processes whose mark starts with `prefix`, and the descendants of those and of `root`."""
    return _with_descendants(
        look(),
        spare,
        lambda process: process.parent == root or mark_of(process.pid).startswith(prefix),
    )


def _with_descendants(
    table: dict[int, Process], spare: Collection[int], belongs: Callable[[Process], bool]
) -> dict[int, Process]:
    table = {pid: process for pid, process in table.items() if pid not in spare}
    found = {pid: process for pid, process in table.items() if belongs(process)}
    while True:
        more = {
            pid: process
            for pid, process in table.items()
            if pid not in found and process.parent in found
        }
        if not more:
            return found
        found.update(more)


def send(process: Process, number: signal.Signals) -> None:
    """Signals one process, unless its number has gone to another since it was looked at."""
    now = look_at(process.pid)
    if now is None or now.start != process.start:
        return
    try:
        os.kill(process.pid, number)
    except (ProcessLookupError, PermissionError):
        return  # gone meanwhile, or a set-user-id program: not ours to signal


def signal_group(leader: int, leader_start: int | None, *numbers: signal.Signals) -> None:
    """Signals the leader's process group; the leader alone while it has not made its group yet."""
    seen = look_at(leader)
    if seen is None or (leader_start is not None and seen.start != leader_start):
        return
    for number in numbers:
        if not send_to_group(leader, number):
            send(seen, number)


def stop_all(find: Callable[[], dict[int, Process]]) -> dict[int, Process]:
    """SIGSTOPs what `find` finds until it finds nothing new, so that nothing can fork any more."""
    stopped: dict[int, Process] = {}
    for _ in range(_PASSES):
        new = {
            pid: process for pid, process in find().items() if not _same(stopped.get(pid), process)
        }
        if not new:
            break
        signal_each(new.values(), signal.SIGSTOP)
        stopped.update(new)
    return stopped


def kill_all(find: Callable[[], dict[int, Process]]) -> bool:
    """SIGKILLs what `find` finds; whether there was anything. Repeat until there is nothing."""
    found = stop_all(find)
    signal_each(found.values(), signal.SIGKILL)
    return bool(found)


def signal_each(found: Iterable[Process], number: signal.Signals) -> None:
    """Signals each of these processes and their groups.

    The groups too because the kernel signals a group in one step: a process that forks and exits
    faster than /proc can be read is never where it was seen, but it is still in its group.
    """
    found = list(found)
    for group in {process.group for process in found}:
        send_to_group(group, number)
    for process in found:
        send(process, number)


def send_to_group(group: int, number: int) -> bool:
    """Signals a process group (0: only looks); whether it exists."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # all that is left of it are set-user-id programs
    return True


def _same(before: Process | None, now: Process) -> bool:
    return before is not None and before.start == now.start
