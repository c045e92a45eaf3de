"""What the doctor looks at: plain values, so that judgements are tested without a machine."""

from __future__ import annotations

from dataclasses import dataclass

from mlq.errors import MlqError


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """The machine itself.

    Args:
        python: its version, as a tuple.
        python_path: which it is.
        mlq: the version that runs.
        deployed: the version in the results root, "" if there is none.
        lingers: whether the user's units run without a login; None: no systemd for users here.
        cron: whether the user may use cron.
        at_boot: what starts a worker at boot, "" if nothing does.
        kills_at_logout: logind's KillUserProcesses; None: unknown.
        cores: that may be used.
        foreign_load: cores that others keep busy.
        logged_in: who else is logged in.
        batch_systems: others that run jobs here, such as HTCondor.
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
        names: of those that answer, with their free and total memory in MiB.
        fault: why NVML does not answer, "" if it does.
        note: a remark of a single GPU.
        processes: how many run on them, of all users.
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
        path: where.
        missing: it is not there.
        needed: whether jobs or the server are to run on this machine.
        ours: whether it belongs to us.
        mode: its permission bits.
        kind: type of the network file system, "" if local.
        error: why it cannot be written, "" if it can.
        free_mib: free space.
        total_mib: all space.
        write_s: how long a small file takes, at the median.
        skew_s: the file server's clock minus ours.
        skew_error_s: how far that may be off.
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
    """A file or folder that is to be ours alone.

    Args:
        name: what it is.
        path: where.
        missing: it is not there.
        mode: its permission bits.
        error: why it cannot be used, None if it can.
        shared: what of it must be the same on all machines of the queue, "" if nothing.
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
        where: in words.
        error: why it cannot be used, None if it can.
        version: of its server.
        user: as whom we are let in.
        confined: whether this user has no power over the server, only over the queue.
        default_off: whether a client without a password is kept out.
        aof: whether the server's log is on disk and whole.
        took_s: the time of a question and its answer.
        missing: what is not in its data although it was acknowledged, "" if nothing is known of.
        passed_over: server programs of this machine that failed their trial, and why.
        clock_off_s: how far this machine's clock is ahead of the server's; 0 if unknown.
        paused: why it gives nothing out, as its user wants; "" if it does.
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
    """The way to a host by ssh; `took_s` is the time until it let us in."""

    host: str
    error: MlqError | None
    took_s: float
