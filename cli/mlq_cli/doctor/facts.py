"""The facts that the doctor judges: plain values, so tests need no machine."""

from __future__ import annotations

from dataclasses import dataclass

from mlq.errors import MlqError


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """The machine itself.

    Args:
        python: its version, as a tuple.
        python_path: the path of that Python.
        mlq: the version that runs.
        deployed: the version in the results root, "" if there is none.
        lingers: whether the user's units run without a login; None: no systemd for users here.
        cron: whether the user is allowed to use cron.
        at_boot: what starts a worker at boot, "" if nothing does.
        kills_at_logout: logind's KillUserProcesses; None: unknown.
        cores: how many cores the worker can use.
        foreign_load: how many cores other users keep busy.
        logged_in: which other users are logged in.
        batch_systems: other systems that run jobs here, such as HTCondor.
    """

    python: tuple[int, int, int]
    python_path: str
    mlq: str
    deployed: str
    lingers: bool | None
    cron: bool
    at_boot: str
    kills_at_logout: bool | None
    cores: int
    foreign_load: float
    logged_in: tuple[str, ...]
    batch_systems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GpuFacts:
    """The GPUs.

    Args:
        present: how many NVIDIA cards are on the bus.
        names: the GPUs that answer, with their free and total memory in MiB.
        fault: why NVML does not answer, "" if it does.
        note: a remark about a single GPU.
        processes: how many processes of all users run on the GPUs.
        silent: whether the driver does not answer at all.
    """

    present: int
    names: tuple[tuple[str, int, int], ...]
    fault: str
    note: str
    processes: int
    silent: bool = False


@dataclass(frozen=True, slots=True)
class RootFacts:
    """The results root.

    Args:
        path: its path.
        missing: whether it does not exist.
        needed: whether jobs or the server are to run on this machine.
        ours: whether it belongs to the user.
        mode: its permission bits.
        kind: type of the network file system, "" if local.
        error: why it cannot be written, "" if it can.
        free_mib: free space.
        total_mib: all space.
        write_s: the median time to write a small file.
        skew_s: the file server's clock minus this machine's.
        skew_error_s: the uncertainty of `skew_s`.
        quota: (file system, used KiB, limit KiB) of each quota.
    """

    path: str
    missing: bool = False
    needed: bool = True
    ours: bool = True
    mode: int = 0o700
    kind: str = ""
    error: str = ""
    free_mib: int = 0
    total_mib: int = 0
    write_s: float = 0.0
    skew_s: float = 0.0
    skew_error_s: float = 0.0
    quota: tuple[tuple[str, int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file or folder that must be open to its user only.

    Args:
        name: what it is.
        path: its path.
        missing: whether it does not exist.
        mode: its permission bits.
        error: why it cannot be used, None if it can.
        shared: its value that must be the same on all machines of the queue, "" if there is none.
    """

    name: str
    path: str
    missing: bool
    mode: int
    error: MlqError | None = None
    shared: str = ""


@dataclass(frozen=True, slots=True)
class QueueFacts:
    """The queue and the way to it.

    Args:
        where: its place, in words.
        error: why it cannot be used, None if it can.
        version: the version of its server.
        user: the server's user as which mlq logs in.
        confined: whether this user has power only over the queue, not over the server.
        default_off: whether the server keeps out a client without a password.
        aof: whether the server's log is on disk and complete.
        took_s: the time of one round trip.
        missing: acknowledged jobs that are not in its data; "" if none is known to be missing.
        passed_over: server programs of this machine that failed their trial, and why.
        clock_off_s: how far this machine's clock is ahead of the server's; 0 if unknown.
        paused: why its user paused it; "" if it is not paused.
    """

    where: str
    error: MlqError | None = None
    version: str = ""
    user: str = ""
    confined: bool = True
    default_off: bool = True
    aof: bool = True
    took_s: float = 0.0
    missing: str = ""
    passed_over: tuple[str, ...] = ()
    clock_off_s: float = 0.0
    paused: str = ""


@dataclass(frozen=True, slots=True)
class SshFacts:
    """The ssh connection to a host; `took_s` is the time until the login succeeded."""

    host: str
    error: MlqError | None
    took_s: float
