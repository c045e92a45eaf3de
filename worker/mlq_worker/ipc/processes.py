"""Finds and signals every process of an attempt, however it tries to escape.

A job may fork, leave its session (`setsid`), be orphaned (double fork), and hide its environment.
It stays below its keeper all the same. Invariant: a process is signalled only if it was just seen
to belong to a target; nothing else of the user's is ever touched. The machine is an argument.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Collection, Iterable

from mlq_worker.ipc.host import Host
from mlq_worker.ipc.procfs import Process, Target, below, lives

_ROUND_S = 0.01
_PASSES = 50  # a fork bomb is stopped generation by generation; the next round goes on


def members(
    host: Host, targets: Collection[Target], table: dict[int, Process] | None = None
) -> dict[int, Process]:
    """Return the processes of the targets, by pid; read the process table unless it is given."""
    table = host.look() if table is None else table
    return below(table, [target.pid for target in targets if target.pid and lives(target, table)])


def waits(host: Host, target: Target) -> bool:
    """Return whether a keeper sleeps or is stopped; one that does neither acts, or has ended."""
    seen = host.look_at(target.pid or 0)
    return seen is not None and seen.state not in "RZX"


def marked(
    host: Host, prefix: str, spare: Collection[int], table: dict[int, Process] | None = None
) -> dict[int, Process]:
    """Return the processes whose mark starts with `prefix`, and all below them.

    Used to find what an earlier supervisor left: every user can read a keeper's mark.
    """
    table = host.look() if table is None else table
    found = {
        pid: process
        for pid, process in table.items()
        if pid not in spare and host.mark_of(pid).startswith(prefix)
    }
    return found | below(table, found, spare)


def send(host: Host, process: Process, number: int) -> None:
    """Signal one process, unless its number has gone to another since it was looked at."""
    now = host.look_at(process.pid)
    if now is None or now.start != process.start:
        return
    try:
        host.kill(process.pid, number)
    except (ProcessLookupError, PermissionError):
        return  # gone meanwhile, or a set-user-id program: not ours to signal


def stop_all(host: Host, find: Callable[[], dict[int, Process]]) -> dict[int, Process]:
    """SIGSTOP what `find` finds until it finds nothing new, so that nothing can fork any more."""
    stopped: dict[int, Process] = {}
    for _ in range(_PASSES):
        new = {
            pid: process for pid, process in find().items() if not _same(stopped.get(pid), process)
        }
        if not new:
            break
        signal_each(host, new.values(), signal.SIGSTOP)
        stopped.update(new)
    return stopped


def kill_all(host: Host, find: Callable[[], dict[int, Process]]) -> bool:
    """SIGKILL what `find` finds; return whether there was any. Repeat until there is none."""
    found = stop_all(host, find)
    signal_each(host, found.values(), signal.SIGKILL)
    return bool(found)


def end_all_below(host: Host, pid: int, at_most_s: float) -> None:
    """Kill all that is below a process, round by round, and nothing beside it.

    Unlike `kill_all` it signals no groups: a process that was just started may be in the group of
    `pid` itself.

    Args:
        host: where they run.
        pid: a subreaper, to which orphans come.
        at_most_s: how long to go on; what is stuck in the kernel is left.
    """
    until = host.boottime() + at_most_s
    while host.boottime() < until:
        left = [one for one in below(host.look(), [pid]).values() if one.state not in "ZX"]
        if not left:
            return
        for process in left:
            send(host, process, signal.SIGKILL)
        time.sleep(_ROUND_S)


def signal_each(host: Host, found: Iterable[Process], number: signal.Signals) -> None:
    """Signal each of these processes and their groups.

    The groups too because the kernel signals a group in one step: a process that forks and exits
    faster than /proc can be read is never where it was seen, but it is still in its group.
    """
    found = list(found)
    for group in {process.group for process in found}:
        send_to_group(host, group, number)
    for process in found:
        send(host, process, number)


def send_to_group(host: Host, group: int, number: int) -> bool:
    """Signal a process group (0: only look); return whether it exists."""
    try:
        host.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # all that is left of it are set-user-id programs
    return True


def _same(before: Process | None, now: Process) -> bool:
    return before is not None and before.start == now.start
