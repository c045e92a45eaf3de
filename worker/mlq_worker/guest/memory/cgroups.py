"""A cgroup for each job, below the scope that systemd gave to this supervisor: the edge.

There the kernel holds a job's memory, however fast it grows, and stops or kills all of its
processes in one step. The supervisor begins in a scope of its own with the right to make cgroups
below it (`mlq_worker.agent.scope` starts it so); it moves to `supervisor` in there, since a cgroup
that has processes gives its children no controllers. Cgroups of version 2 only: cgroup-v2.rst in
the kernel's documentation. Invariant: what cannot be done is left out, and the looks do it; only
cgroups of this scope are touched.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from mlq.jobs.attempt import AttemptId
from mlq_worker.ipc.values import Share
from mlq_worker.probes.process_table import PROC

MOUNT = Path("/sys/fs/cgroup")
OWN = "supervisor"
SCOPE = re.compile(r"mlq-[0-9a-f]+\.scope")
MOST_PROCESSES = 4096
_CONTROLLERS = ("memory", "pids")
_CHUNK_BYTES = 1 << 16


class Scope(NamedTuple):
    """Where jobs get their cgroups.

    Args:
        folder: of the scope; None: there is none.
        why_not: why there is none, for people.
    """

    folder: Path | None = None
    why_not: str = ""


NO_SCOPE = Scope()


def find_scope(proc: Path = PROC, mount: Path = MOUNT) -> Scope:
    """Return the scope that this process was started in, or that it has settled in."""
    try:
        lines = (proc / "self/cgroup").read_text().splitlines()
    except OSError as error:
        return Scope(why_not=f"/proc/self/cgroup: {error.strerror}")
    path = next((line[3:] for line in lines if line.startswith("0::")), "")
    folder = mount / path.removesuffix(f"/{OWN}").lstrip("/")
    if not SCOPE.fullmatch(folder.name):
        return Scope(why_not="it was not started in a scope of its own")
    if not os.access(folder / "cgroup.subtree_control", os.W_OK):
        return Scope(why_not=f"{folder} is not ours to change")
    return Scope(folder)


def settle(scope: Scope) -> Scope:
    """Move this process below its scope, and let jobs have controllers there."""
    if scope.folder is None:
        return scope
    try:
        has = (scope.folder / "cgroup.controllers").read_text().split()
        missing = [one for one in _CONTROLLERS if one not in has]
        if missing:
            return Scope(why_not=f"systemd gives its scopes no controller for {missing[0]}")
        own = scope.folder / OWN
        own.mkdir(exist_ok=True)
        _write(own / "cgroup.procs", str(os.getpid()))
        _write(scope.folder / "cgroup.subtree_control", " ".join(f"+{one}" for one in _CONTROLLERS))
    except OSError as error:
        return Scope(why_not=f"{scope.folder}: {error.strerror}")
    return scope


def settled_scope(proc: Path = PROC, mount: Path = MOUNT) -> Scope:
    """Return the scope in which the supervisor above this process has settled."""
    found = find_scope(proc, mount)
    text = (proc / "self/cgroup").read_text() if found.folder else ""
    return found if text.rstrip().endswith(f"/{OWN}") else NO_SCOPE


def most_processes(scope: Path) -> int:
    """Return how many processes a job may have: half of what its user may, at most 4096.

    systemd limits the processes of each user, on small machines to 2000. A job that forks without
    end must leave room for the other jobs, and for the shell in which somebody cancels it.
    """
    limits = (_number(_read(os.fspath(one), "pids.max")) for one in (scope, *scope.parents))
    return min((MOST_PROCESSES, *(one // 2 for one in limits if one is not None)))


class Usage(NamedTuple):
    """What the kernel counted of a job.

    Args:
        peak_mib: the most memory that it had at once, with its files in memory; None: not known.
        kills: how many of its processes the kernel killed because it reached its limit.
        limit_mib: its limit; None: it had none.
    """

    peak_mib: int | None = None
    kills: int = 0
    limit_mib: int | None = None


class JobCgroups:
    """The cgroups of jobs.

    Args:
        folder: of the scope; None: there are none, and nothing is done.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = None if folder is None else os.fspath(folder)
        self._most_processes = str(most_processes(folder) if folder else MOST_PROCESSES)

    def make(self, attempt: AttemptId, share: Share) -> int | None:
        """Make the cgroup of a job; return its folder, open, or None if there is none.

        Args:
            attempt: the attempt.
            share: what it was given; its memory is a limit if its user asked for it.
        """
        if self._folder is None:
            return None
        path = self._path(attempt)
        try:
            os.mkdir(path)  # noqa: PTH102 - for each short job
            folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            return None
        _put(folder, "pids.max", self._most_processes)
        _put(folder, "memory.oom.group", "1")
        if share.mem_is_asked and share.mem_mib:
            _put(folder, "memory.swap.max", "0")
            _put(folder, "memory.max", str(share.mem_mib << 20))
        return folder

    def ended(self, attempt: AttemptId, *, well: bool = False) -> Usage | None:
        """Remove the cgroup of a job that has no process any more; return what it used.

        Args:
            attempt: the attempt.
            well: it ended as it was meant to, so nobody asks who killed it: `kills` and
                `limit_mib` are left out.
        """
        if self._folder is None:
            return None
        path = self._path(attempt)
        peak_mib = _mib(_read(path, "memory.peak"))
        usage = Usage(peak_mib) if well else Usage(peak_mib, *self._kills_and_limit(path))
        try:
            os.rmdir(path)  # noqa: PTH106 - for each short job
        except FileNotFoundError:
            return None
        except OSError:
            return usage  # something of it is stuck in the kernel
        return usage

    def _kills_and_limit(self, path: str) -> tuple[int, int | None]:
        events = dict(line.partition(" ")[::2] for line in _read(path, "memory.events").split("\n"))
        # A kill for want of the machine's memory counts as `oom_kill` too, but not as `oom`.
        kills = _number(events.get("oom", "")) and _number(events.get("oom_kill", ""))
        return kills or 0, _mib(_read(path, "memory.max"))

    def holds_memory(self, attempt: AttemptId) -> bool:
        """Return whether the kernel holds this job's limit: it is in there, and there is one."""
        if self._folder is None:
            return False
        path = self._path(attempt)
        populated = "populated 1" in _read(path, "cgroup.events")
        return populated and _number(_read(path, "memory.max")) is not None

    def freeze(self, attempt: AttemptId) -> frozenset[int]:
        """Stop all processes of a job in one step; return which, none if that cannot be done."""
        if self._folder is None or not self._set(attempt, "cgroup.freeze", "1"):
            return frozenset()
        return frozenset(map(int, _read(self._path(attempt), "cgroup.procs").split()))

    def thaw(self, attempt: AttemptId) -> None:
        """Let them go on."""
        self._set(attempt, "cgroup.freeze", "0")

    def kill(self, attempt: AttemptId) -> None:
        """Kill all processes of a job in one step, before one of them can fork."""
        self._set(attempt, "cgroup.kill", "1")

    def _set(self, attempt: AttemptId, name: str, text: str) -> bool:
        if self._folder is None:
            return False
        with suppress(OSError):
            _write(Path(self._path(attempt), name), text)
            return True
        return False

    def _path(self, attempt: AttemptId) -> str:
        return f"{self._folder}/job-{attempt.job_id}.{attempt.number}"


NO_CGROUPS = JobCgroups()


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode("ascii"))
    finally:
        os.close(descriptor)


def _put(folder: int, name: str, text: str) -> None:
    """Write a file of a cgroup; a kernel without it goes without."""
    with suppress(OSError):
        descriptor = os.open(name, os.O_WRONLY | os.O_CLOEXEC, dir_fd=folder)
        try:
            os.write(descriptor, text.encode("ascii"))
        finally:
            os.close(descriptor)


def _read(folder: str, name: str) -> str:
    try:
        descriptor = os.open(f"{folder}/{name}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            parts = iter(lambda: os.read(descriptor, _CHUNK_BYTES), b"")
            return b"".join(parts).decode("ascii")
        finally:
            os.close(descriptor)
    except (OSError, ValueError):
        return ""


def _number(text: str) -> int | None:
    return int(text) if text.strip().isdecimal() else None  # a limit may be "max"


def _mib(text: str) -> int | None:
    number = _number(text)
    return None if number is None else number >> 20
