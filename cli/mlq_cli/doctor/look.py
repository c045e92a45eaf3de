"""The probes: each looks at one thing and judges nothing. Any probe may hang or fail."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from statistics import median

from mlq import __version__
from mlq.errors import MlqError
from mlq.files.layout import CURRENT, SOFTWARE, write_atomically
from mlq.files.mounts import network_file_system
from mlq.files.paths import SecretMissingError, private_dir, read_secret
from mlq.jobs.signing import fingerprint, load_key
from mlq.settings.load import Loaded
from mlq.settings.people import user_name
from mlq.settings.settings import Settings
from mlq_cli.doctor.facts import (
    FileFacts,
    GpuFacts,
    MachineFacts,
    RootFacts,
    SshFacts,
)

_KEY = "signing key"
_NVIDIA = "0x10de"
_DISPLAY = "0x03"
_WRITES = 5
_LOAD_S = 1.1
_TOOL_S = 10.0
_SSH_S = 40.0
# The daemon of each batch system that starts jobs on a machine.
_DAEMONS = {
    "condor_startd": "HTCondor",
    "slurmd": "Slurm",
    "pbs_mom": "PBS",
    "sge_execd": "Grid Engine",
    "lim": "LSF",
}


def machine(settings: Settings) -> MachineFacts:
    """Look at the machine for 1 s, to measure which cores other users keep busy."""
    from mlq_worker.probes.cores import CoreProbe
    from mlq_worker.probes.process_table import scan
    from mlq_worker.service import crontab, systemd
    from mlq_worker.service.install import installed

    probe = CoreProbe()
    cores = probe.read(time.monotonic(), scan(), [os.getpid()])
    time.sleep(_LOAD_S)
    cores = probe.read(time.monotonic(), scan(), [os.getpid()])
    return MachineFacts(
        python=sys.version_info[:3],
        python_path=sys.executable,
        mlq=__version__,
        deployed=_deployed(settings.root),
        lingers=systemd.lingers() if systemd.works() else None,
        cron=crontab.read() is not None,
        at_boot=installed(settings.machine),
        kills_at_logout=systemd.kills_at_logout(),
        cores=cores.total,
        foreign_load=cores.foreign_load,
        logged_in=others(_said("who"), user_name()),
        batch_systems=batch_systems(Path("/proc")),
    )


def others(who: str, me: str) -> tuple[str, ...]:
    """Return which other users are logged in, from the output of `who`."""
    names = {line.split()[0] for line in who.splitlines() if line.strip()}
    return tuple(sorted(names - {me}))


def batch_systems(proc: Path) -> tuple[str, ...]:
    """Return which batch systems run jobs on this machine, by the names of their daemons."""
    found = set()
    for path in proc.glob("[0-9]*/comm"):
        with suppress(OSError):
            found.add(_DAEMONS.get(path.read_text().strip(), ""))
    return tuple(sorted(found - {""}))


def gpus() -> GpuFacts:
    """Look at the GPUs."""
    from mlq_worker.agent.gpu_watch import GpuWatch

    watch = GpuWatch("all")
    report = watch.read()
    return GpuFacts(
        present=sum(_is_nvidia_card(path) for path in Path("/sys/bus/pci/devices").glob("*")),
        names=tuple((gpu.name, gpu.free_mib, gpu.total_mib) for gpu in report.gpus),
        fault=report.fault,
        note=report.note,
        processes=sum(len(gpu.processes) for gpu in report.gpus),
        silent=watch.is_stuck,
    )


def root(settings: Settings) -> RootFacts:
    """Look at the results root: write there, and read the file server's clock."""
    path, shown = settings.root, str(settings.root)
    if not path.is_dir():
        return RootFacts(shown, missing=True, needed=not settings.is_remote)
    found = path.stat()
    ours, mode = found.st_uid == os.geteuid(), found.st_mode & 0o777
    disk = os.statvfs(path)
    try:
        write_s, skew_s, error_s = _written(path)
    except OSError as error:
        return RootFacts(shown, ours=ours, mode=mode, error=error.strerror or str(error))
    return RootFacts(
        shown,
        ours=ours,
        mode=mode,
        kind=network_file_system(path),
        free_mib=disk.f_bavail * disk.f_frsize // 2**20,
        total_mib=disk.f_blocks * disk.f_frsize // 2**20,
        write_s=write_s,
        skew_s=skew_s,
        skew_error_s=error_s,
        quota=quotas(_said("quota", "-w")),
    )


def _written(folder: Path) -> tuple[float, float, float]:
    """Write small files; return, in s, the time for one, the clock skew and its uncertainty."""
    file = folder / f".doctor.{os.uname().nodename}.{os.getpid()}"
    took = []
    try:
        for _ in range(_WRITES):
            began_s = time.monotonic()
            write_atomically(file, b"\0" * 1024)
            took.append(time.monotonic() - began_s)
        # If no time is given, the file server uses its own clock.
        before_s = time.time()
        os.utime(file)
        after_s = time.time()
        skew_s = file.stat().st_mtime - (before_s + after_s) / 2
    finally:
        file.unlink(missing_ok=True)
    return median(took), skew_s, (after_s - before_s) / 2 + 0.1


def quotas(said: str) -> tuple[tuple[str, int, int], ...]:
    """Return (file system, used KiB, limit KiB) for each quota in the output of `quota -w`."""
    found = []
    for line in said.splitlines():
        words = line.split()
        # Filesystem blocks quota limit grace …; a star marks what is over its quota.
        if len(words) < 4 or not all(word.rstrip("*").isdigit() for word in words[1:4]):
            continue
        used, soft, hard = (int(word.rstrip("*")) for word in words[1:4])
        if soft or hard:
            found.append((words[0], used, soft or hard))
    return tuple(found)


def files(loaded: Loaded) -> list[FileFacts]:
    """Look at what must be open to the user only: config, key, password, folder of sockets."""
    settings = loaded.settings
    found = [_file("config", loaded.config_file)]
    for name, path in (_KEY, settings.key_file), ("password", settings.password_file):
        facts = _file(name, path)
        error: MlqError | None = None
        shared = ""
        try:
            read_secret(path)
            if name == _KEY:
                shared = fingerprint(load_key(path))
        except SecretMissingError:
            pass
        except MlqError as refused:
            error = refused
        found.append(FileFacts(name, facts.path, facts.missing, facts.mode, error, shared))
    try:
        private_dir(settings.runtime_dir)
        found.append(_file("sockets", settings.runtime_dir))
    except MlqError as refused:
        found.append(FileFacts("sockets", str(settings.runtime_dir), False, 0, refused))
    return found


def _file(name: str, path: Path) -> FileFacts:
    try:
        mode = path.lstat().st_mode & 0o777
    except FileNotFoundError:
        return FileFacts(name, str(path), missing=True, mode=0)
    return FileFacts(name, str(path), missing=False, mode=mode)


def ssh(settings: Settings) -> SshFacts:
    """Look at the ssh connection to the queue's host."""
    from mlq_cli.remote.ssh import Ssh

    began_s = time.monotonic()
    let_in: list[float] = []
    try:
        Ssh(settings).run(
            settings.queue_host,
            ["true"],
            timeout_s=_SSH_S,
            connected=lambda: let_in.append(time.monotonic() - began_s),
        )
    except MlqError as error:
        return SshFacts(settings.queue_host, error, 0.0)
    return SshFacts(settings.queue_host, None, let_in[0])


def _deployed(path: Path) -> str:
    with suppress(OSError):
        return str((path / SOFTWARE / CURRENT).readlink())
    return ""


def _is_nvidia_card(device: Path) -> bool:
    with suppress(OSError):
        is_display = (device / "class").read_text().startswith(_DISPLAY)
        return is_display and (device / "vendor").read_text().strip() == _NVIDIA
    return False


def _said(*argv: str) -> str:
    """Return the output of a system tool; "" if it is missing or does not answer."""
    try:
        return subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TOOL_S,
            check=False,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
