"""A real Slurm for tests: one machine with its own munged, slurmctld and slurmd.

All three daemons are children of the test session, listen on ports and sockets of their own, and
write below one temporary folder. They end with the session, also if it is killed: the kernel kills
them. The node claims more cores than the machine has, so that tests need not wait for each other.

`cgroups=True` makes the variant that confines jobs in cgroups, v1 or v2 as this machine has them.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import pytest
from ci import require
from ssh_world import free_port
from waiting import wait_for

_PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol", "setpriv")
CORES = 16
MEM_MIB = 16_000

# Whether jobs end and slots come back is what tests wait for: all intervals as short as they go.
_CONF = """\
ClusterName=mlqtest
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld_port}
SlurmdPort={slurmd_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmdParameters=config_overrides
ProctrackType={proctrack}
TaskPlugin={task}
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=256
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0,bf_interval=1
KillWait=2
MinJobAge=300
PrologFlags=Alloc
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory={mem_mib} Gres=gpu:2 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE DefaultTime=60 State=UP
"""
_CGROUP_CONF = """\
CgroupMountpoint=/sys/fs/cgroup
CgroupAutomount=no
CgroupPlugin={plugin}
ConstrainCores=yes
ConstrainRAMSpace=yes
"""


@dataclass(frozen=True)
class SlurmCluster:
    """A running cluster.

    Attributes:
        environment: what a process needs to find it; add it to the process's own.
        node: the name of its only node.
    """

    folder: Path
    node: str
    environment: dict[str, str] = field(default_factory=dict)

    def run(
        self,
        *command: str | Path,
        check: bool = True,
        variables: Mapping[str, str] = MappingProxyType({}),
    ) -> str:
        """Run one of Slurm's commands and return what it prints, without the last line end.

        Raises:
            AssertionError: `check`, and it failed; the message shows why.
        """
        done = subprocess.run(
            command,
            env=os.environ | {"PATH": _PATH} | self.environment | dict(variables),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert not check or done.returncode == 0, f"{command}: {done.stderr or done.stdout}"
        return done.stdout.removesuffix("\n")

    def submit(self, script: str, *options: str, **variables: str) -> str:
        """Submit the text of a script and return the job's id.

        Args:
            options: of sbatch, such as `--cpus-per-task=2`. The output goes to `log(id)` unless
                they say otherwise.
            variables: environment variables of the job, beside those of this process.
        """
        path = self.folder / "scripts" / f"{time.monotonic_ns()}.sh"
        path.write_text(script)
        output = f"--output={self.folder}/logs/%j.log"
        return self.run("sbatch", "--parsable", output, *options, path, variables=variables)

    def log(self, job_id: str) -> str:
        """Return what the job has written so far."""
        path = self.folder / "logs" / f"{job_id}.log"
        return path.read_text() if path.exists() else ""

    def state(self, job_id: str) -> str:
        """Return the job's state, such as `RUNNING`; empty if Slurm knows it no more."""
        told = self.run("squeue", "-h", "-t", "all", "-j", job_id, "-o", "%T", check=False)
        return told.strip()

    def wait_for_state(self, job_id: str, *states: str, timeout_s: float = 60) -> str:
        """Wait until the job is in one of these states and return it."""

        def reached() -> str:
            state = self.state(job_id)
            return state if state in states else ""

        return wait_for(reached, timeout_s, f"job {job_id} to be {' or '.join(states)}")

    def cancel(self, *arguments: str) -> None:
        """Call scancel."""
        self.run("scancel", *arguments)


def require_slurm() -> None:
    """Skip the test if Slurm's daemons are not installed here, or may not be started."""
    missing = [name for name in PROGRAMS if shutil.which(name, path=_PATH) is None]
    require(not missing, f"{', '.join(missing)} (Debian: slurmctld slurmd munge slurm-client)")
    require(os.geteuid() == 0, "root, to start Slurm's daemons")


@contextmanager
def slurm_cluster(*, cgroups: bool = False) -> Iterator[SlurmCluster]:
    """Start a cluster of one machine, and end it and all that it runs after.

    Raises:
        pytest.skip.Exception: Slurm is not here, or cannot be had in this form; says why.
    """
    require_slurm()
    if cgroups:
        _require_cgroups()
    folder = Path(tempfile.mkdtemp(prefix="mlq-slurm-"))
    folder.chmod(0o755)
    cluster = _written(folder, cgroups=cgroups)
    daemons: list[subprocess.Popen[bytes]] = []
    try:
        daemons += [_munged(folder)]
        daemons += [_daemon(cluster, "slurmctld", "-D", "-i")]
        wait_for(lambda: "UP" in cluster.run("scontrol", "ping", check=False), what="slurmctld")
        daemons += [_daemon(cluster, "slurmd", "-D", "-N", cluster.node)]
        _wait_for_node(cluster, cgroups=cgroups)
        yield cluster
    finally:
        _end(cluster, daemons)
        shutil.rmtree(folder, ignore_errors=True)


def _written(folder: Path, *, cgroups: bool) -> SlurmCluster:
    """Write the cluster's configuration."""
    for name in ("munge", "state", "spool", "scripts", "logs"):
        (folder / name).mkdir(mode=0o755)
    (folder / "munge" / "key").write_bytes(os.urandom(128))
    (folder / "munge" / "key").chmod(0o600)
    host = socket.gethostname().partition(".")[0]
    conf = folder / "slurm.conf"
    conf.write_text(
        _CONF.format(
            host=host,
            folder=folder,
            ctld_port=free_port(),
            slurmd_port=free_port(),
            proctrack="proctrack/cgroup" if cgroups else "proctrack/linuxproc",
            task="task/cgroup" if cgroups else "task/none",
            cores=len(os.sched_getaffinity(0)) if cgroups else CORES,
            mem_mib=2_000 if cgroups else MEM_MIB,
        )
    )
    # Slurm wants a device for each GPU, and only looks that there is one.
    lines = [f"Name=gpu File={one} Flags=nvidia_gpu_env\n" for one in ("/dev/null", "/dev/zero")]
    (folder / "gres.conf").write_text("".join(lines))
    plugin = "cgroup/v1" if Path("/sys/fs/cgroup/memory").is_dir() else "cgroup/v2"
    (folder / "cgroup.conf").write_text(_CGROUP_CONF.format(plugin=plugin))
    return SlurmCluster(folder, host, {"SLURM_CONF": str(conf)})


def _munged(folder: Path) -> subprocess.Popen[bytes]:
    """Start munged, which signs what Slurm's daemons and commands send each other."""
    munge = folder / "munge"
    command = [
        *("setpriv", "--pdeathsig", "KILL", "munged"),
        "--foreground",
        "--force",
        "--num-threads=2",
        *(f"--{name}-file={munge / name}" for name in ("key", "pid", "log", "seed")),
        f"--socket={munge / 'socket'}",
    ]
    with (folder / "munged.out").open("wb") as output:
        process = subprocess.Popen(command, env=_env(), stdout=output, stderr=output)
    wait_for((munge / "socket").exists, what="munged")
    return process


def _daemon(cluster: SlurmCluster, *command: str) -> subprocess.Popen[bytes]:
    """Start a daemon of Slurm in the foreground; it dies with this process."""
    with (cluster.folder / f"{command[0]}.out").open("wb") as output:
        return subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *command],
            env=_env() | cluster.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _env() -> dict[str, str]:
    return os.environ | {"PATH": _PATH}


def _wait_for_node(cluster: SlurmCluster, *, cgroups: bool) -> None:
    """Wait until the node takes jobs.

    Raises:
        pytest.skip.Exception: it does not, with cgroups: says what slurmd wrote.
    """
    try:
        wait_for(
            lambda: cluster.run("sinfo", "-h", "-o", "%T", check=False) == "idle",
            timeout_s=20 if cgroups else 60,
            what="the node to be idle",
        )
    except AssertionError as error:
        log = (cluster.folder / "slurmd.log").read_text()[-2000:]
        if cgroups:
            pytest.skip(f"slurmd does not start with cgroups here: {log}")
        raise AssertionError(f"{error}\n{log}") from error


def _require_cgroups() -> None:
    """Skip unless cgroups can be made here by whoever is root."""
    v1 = Path("/sys/fs/cgroup/memory")
    reason = "no cgroups that may be written"
    if v1.is_dir():
        missing = [one for one in ("freezer", "memory", "cpuset") if not v1.with_name(one).is_dir()]
        if missing or not os.access(v1, os.W_OK):
            pytest.skip(reason)
    elif not Path("/run/systemd/system").is_dir():
        # Slurm asks systemd for a scope of its own here; without systemd there is none.
        pytest.skip(f"{reason}: v2 needs systemd")


def _end(cluster: SlurmCluster, daemons: list[subprocess.Popen[bytes]]) -> None:
    """End all jobs, then the daemons, then whatever is left that was started for this cluster."""
    with suppress(AssertionError, subprocess.TimeoutExpired):
        if len(daemons) == 3:
            cluster.run("scancel", "--signal=KILL", "--full", "--state=RUNNING", check=False)
            cluster.run("scancel", f"--user={os.geteuid()}", check=False)
            wait_for(lambda: not cluster.run("squeue", "-h", check=False), 10, "jobs to end")
    for process in reversed(daemons):
        with suppress(ProcessLookupError):
            process.terminate()
    for process in daemons:
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for pid in _left(cluster):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for root in Path("/sys/fs/cgroup").glob(f"*/slurm_{cluster.node}"):
        for made, _, _ in os.walk(root, topdown=False):
            with suppress(OSError):  # another cluster of a test beside this one uses it
                Path(made).rmdir()


def _left(cluster: SlurmCluster) -> list[int]:
    """Return the processes that were started with this cluster's configuration."""
    mark = f"SLURM_CONF={cluster.environment['SLURM_CONF']}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            with suppress(OSError):
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
    return found
