"""The settings of one installation, and their defaults."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

if TYPE_CHECKING:
    # Only the checker (`mlq.settings.check`) evaluates the annotations.
    from annotated_types import Ge, Gt, Le

# Variables that a worker sets for its jobs; they are not misspelt settings when a job calls mlq.
JOB_VARIABLES = frozenset(
    (
        "MLQ_JOB_ID",
        "MLQ_ATTEMPT",
        "MLQ_MARK",
        "MLQ_OUTPUT_DIR",
        "MLQ_CHECKPOINT_DIR",
        "MLQ_PROGRESS_FILE",
        "MLQ_JOB_FILE",
        "MLQ_RETURN_FILE",
        "MLQ_CODE",
        "MLQ_CODE_SAID",
    )
)
PARAMETERS = "MLQ_PARAM_"
"""Prefixes of the variables that hold the parameters of a sweep's member."""

CONFIG_VARIABLE = "MLQ_CONFIG"


class Settings(NamedTuple):
    """Every setting; each is a key of the config file and a variable MLQ_<NAME>.

    Args:
        root: the results root; usually NFS.
        runtime_dir: sockets, locks and pid files; local, 0700.
        server_dir: the data of the queue's Redis server; local, never NFS.
        redis_socket: the unix socket on which the queue answers.
        password_file: the password of `redis_user`.
        key_file: the key that signs jobs.
        machine: the name of this machine.
        cache_dir: packs of code, so that a machine's jobs read NFS once; local, and may be deleted.
        redis_user: the ACL user of the queue.
        redis_fsync: when the server flushes its log: before each reply, or once a second.
        beat_s: between two heartbeats on NFS and two renewals of leases.
        lease_s: how long a lease in Redis lasts without renewal.
        fence_s: a supervisor out of touch on both channels for so long pauses its jobs.
        dead_s: a machine whose beat stands still for so long and whose lease has expired is dead.
        patience_s: a job that waited so long has a machine reserved.
        max_losses: a job fails once more machines than this were lost while it ran on them.
        retry_pause_s: before a failed job's first retry; three times as long before each next one.
        stop_grace_s: from SIGTERM to SIGKILL, for jobs without `--grace`.
        poll_s: between two looks of a worker at what nothing announces; twice that without any job.
        metrics_s: between two readings of what a running job writes of its progress and metrics.
        keep_days: how long ended jobs stay listed.
        forget_machines_days: a machine not heard of for so long leaves the list.
        default_mem_mib: main memory of a job that does not say.
        capture_env: whether jobs are given the variables of the shell they are enqueued from.
        snapshot: whether jobs run the code as it was when they were enqueued.
        allow_unsigned: whether workers run functions enqueued with plain rq, unsigned.
        guest: how mlq gives way on this machine: `polite`, `night`, or `mine`: your own machine.
        hours: when jobs may run in the mode `night`, local time: `19:00-08:00 sat sun`.
        desk_action: what somebody at the desk means: jobs pause, or get half of the cores.
        desk_idle_s: a desk untouched for so long lets new jobs start.
        desk_resume_s: a desk untouched for so long lets paused jobs go on.
        desk_evict_s: jobs paused for so long are handed back; with GPU memory after a fifth of it.
        desk_keep_s: the same for an attempt that has saved nothing yet.
        reserve_cores: cores left free while anybody else is active.
        reserve_mem_mib: main memory left free while anybody else is active.
        enforce: limits that jobs are held to: `all`, `none`, or some of `cores,mem,vram`.
        shared_dir: where all users of this machine meet: boards, whose turn it is, `mlq-off`.
        cuda_devices: how jobs are told their GPUs; `index`: for programs that want numbers.
        queue_host: the host of the queue's server, as typed after `ssh`; empty: this machine.
        gateway: the ssh host to jump through on the way there; empty: as the ssh config says.
        remote_socket: `redis_socket` as `mlq config` shows it there; empty: the same as here.
        tunnel: `openssh` runs `ssh`, `sshtunnel` is all Python; `auto`: `openssh` where it is.
        tunnel_idle_s: how long the commands' tunnel stays up after the last of them.
        ssh_config: the ssh config file to use instead of `~/.ssh/config`.
        redis_tcp: only if sshd forwards no unix sockets: loopback TCP; first see docs/tunnels.md.
        redis_port: that port.
        machines: the lab's machines for `--all`, as typed after `ssh`; a variable has commas.
    """

    root: Path
    runtime_dir: Path
    server_dir: Path
    redis_socket: Path
    password_file: Path
    key_file: Path
    machine: str
    cache_dir: Path
    redis_user: str = "mlq"
    redis_fsync: Literal["always", "everysec"] = "always"
    beat_s: Annotated[float, Gt(0), Le(86400)] = 10
    lease_s: Annotated[float, Gt(0), Le(86400)] = 45
    fence_s: Annotated[float, Gt(0), Le(86400)] = 60
    dead_s: Annotated[float, Gt(0), Le(86400)] = 90
    patience_s: Annotated[float, Ge(0), Le(366 * 86400)] = 1800
    max_losses: Annotated[int, Ge(0), Le(10**6)] = 5
    retry_pause_s: Annotated[float, Ge(0), Le(86400)] = 5
    stop_grace_s: Annotated[float, Ge(0), Le(86400)] = 10
    poll_s: Annotated[float, Gt(0), Le(3600)] = 2
    metrics_s: Annotated[float, Ge(1), Le(3600)] = 60
    keep_days: Annotated[int, Ge(1), Le(10**5)] = 90
    forget_machines_days: Annotated[int, Ge(1), Le(10**5)] = 30
    default_mem_mib: Annotated[int, Ge(1), Le(2**30)] = 2048
    capture_env: bool = True
    snapshot: bool = True
    allow_unsigned: bool = False
    guest: Literal["polite", "night", "mine"] = "polite"
    hours: str = ""
    desk_action: Literal["pause", "half"] = "pause"
    desk_idle_s: Annotated[float, Ge(1), Le(86400)] = 900
    desk_resume_s: Annotated[float, Ge(1), Le(86400)] = 300
    desk_evict_s: Annotated[float, Ge(1), Le(7 * 86400)] = 600
    desk_keep_s: Annotated[float, Ge(1), Le(30 * 86400)] = 14400
    reserve_cores: Annotated[int, Ge(0), Le(10**4)] = 1
    reserve_mem_mib: Annotated[int, Ge(0), Le(2**30)] = 2048
    enforce: str = "all"
    shared_dir: Path = Path("/tmp")  # noqa: S108 - what is found there is believed only if checked
    cuda_devices: Literal["uuid", "index"] = "uuid"
    queue_host: str = ""
    gateway: str = ""
    remote_socket: str = ""
    tunnel: Literal["auto", "openssh", "sshtunnel"] = "auto"
    tunnel_idle_s: Annotated[float, Ge(1), Le(86400)] = 900
    ssh_config: str = ""
    redis_tcp: bool = False
    redis_port: Annotated[int, Ge(1024), Le(65535)] = 7379
    machines: tuple[str, ...] = ()

    @property
    def courtesy_s(self) -> float:
        """How long a machine on which a job failed or was lost lets others take the job first."""
        return 2 * self.poll_s  # long enough for each other machine to look at the waiting jobs

    @property
    def is_remote(self) -> bool:
        """Whether the queue is on another host; machines may share one config file."""
        host = self.queue_host.rpartition("@")[2]
        here = os.uname().nodename
        return bool(host) and host not in (here, here.split(".")[0])


def variable(name: str) -> str:
    """Return the environment variable of a setting."""
    return f"MLQ_{name.upper()}"
