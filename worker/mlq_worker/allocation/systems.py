"""Which batch system a process runs in, and what that says it granted: pure.

Each system describes an allocation to its processes by variables; HTCondor by two files too, which
its variables name. A worker inside one must offer what was granted and not what the machine has,
so a number that cannot be read counts as not told, never as zero or as everything. What `salloc`
leaves in the shell of a login node is no allocation: nothing was granted on that machine. Nor is a
job of mlq itself that was made of a job file, and sees the variables of its system.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

OURS = "mlq"  # what a job of mlq that was made of a job file sees as its cluster or server
_NAMES = {"slurm": "Slurm", "pbs": "PBS", "condor": "HTCondor"}
_FILES = {"_CONDOR_JOB_AD": "job ad", "_CONDOR_MACHINE_AD": "machine ad"}
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_NAME = 64
_UNITS_KIB = {
    "b": 1 / 1024,
    "kb": 1.0,
    "mb": 1024.0,
    "gb": 1024.0**2,
    "tb": 1024.0**3,
    "": 1 / 1024,
}


def is_of_allocation(machine: str) -> bool:
    """Return whether a machine's name is one that `Allocation.name` gives."""
    system, dash, job = machine.partition("-")
    return bool(dash and job) and system in _NAMES


class Allocation(NamedTuple):
    """An allocation, as the process inside it is told of it.

    Args:
        system: `slurm`, `pbs` or `condor`.
        job_id: of the system.
        cores: how many the system's variables grant; None: they do not say.
        mem_mib: how much memory they grant; None: they do not say.
        visible_gpus: CUDA_VISIBLE_DEVICES; None: not set.
        ends_utc_s: unix time of the end, as far as the variables tell it.
        part: which of several tasks of the allocation this is; "" if it is the only one.
    """

    system: str
    job_id: str
    cores: int | None = None
    mem_mib: int | None = None
    visible_gpus: str | None = None
    ends_utc_s: float | None = None
    part: str = ""

    @property
    def name(self) -> str:
        """What a worker in it is called."""
        part = f".{self.part}" if self.part else ""
        name = _UNSAFE.sub("-", f"{self.system}-{self.job_id}").strip("-")
        return name[: _LONGEST_NAME - len(part)] + part

    @property
    def words(self) -> str:
        """Which allocation it is, for people."""
        return f"{_NAMES[self.system]} job {self.job_id}"


def notice(environ: Mapping[str, str], files: Mapping[str, str]) -> Allocation | None:
    """Return the allocation around a process; None if there is none.

    Args:
        environ: the process's variables.
        files: the texts of the files that `files_of` names, by variable.
    """
    if environ.get("SLURM_CLUSTER_NAME") == OURS or environ.get("PBS_JOBID", "").endswith(
        f".{OURS}"
    ):
        return None
    if environ.get("SLURM_JOB_ID") and environ.get("SLURMD_NODENAME"):
        return _slurm(environ)
    if environ.get("PBS_JOBID"):
        return _pbs(environ)
    if environ.get("_CONDOR_JOB_AD") or environ.get("_CONDOR_SLOT"):
        return _condor(environ, files)
    return None


def files_of(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the paths of files that say more, by variable."""
    return {name: environ[name] for name in _FILES if environ.get(name)}


def _slurm(environ: Mapping[str, str]) -> Allocation:
    cores = _number(environ.get("SLURM_CPUS_ON_NODE"))
    mem = _number(environ.get("SLURM_MEM_PER_NODE"))
    per_core = _number(environ.get("SLURM_MEM_PER_CPU"))
    if mem is None and per_core is not None and cores is not None:
        mem = per_core * cores
    tasks = _number(environ.get("SLURM_STEP_NUM_TASKS")) or 1
    here = _number(environ.get("SLURM_STEP_TASKS_PER_NODE", "").partition("(")[0]) or 1
    if here > 1:  # each of them is a worker
        mem = mem and mem // here
        cores = _number(environ.get("SLURM_CPUS_PER_TASK")) or (cores and max(1, cores // here))
    return Allocation(
        "slurm",
        environ["SLURM_JOB_ID"],
        cores,
        mem,
        environ.get("CUDA_VISIBLE_DEVICES"),
        _number(environ.get("SLURM_JOB_END_TIME")),
        environ.get("SLURM_PROCID", "") if tasks > 1 else "",
    )


def _pbs(environ: Mapping[str, str]) -> Allocation:
    cores = _number(environ.get("NCPUS")) or _number(environ.get("PBS_NUM_PPN"))
    return Allocation("pbs", environ["PBS_JOBID"], cores, None, environ.get("CUDA_VISIBLE_DEVICES"))


def _condor(environ: Mapping[str, str], files: Mapping[str, str]) -> Allocation:
    job = _ad(files.get("_CONDOR_JOB_AD", ""))
    machine = _ad(files.get("_CONDOR_MACHINE_AD", ""))
    numbers = [job.get("clusterid", ""), job.get("procid", "")]
    job_id = ".".join(one for one in numbers if one) or environ.get("_CONDOR_SLOT", "")
    return Allocation(
        "condor",
        job_id or "job",
        _number(machine.get("cpus")),
        _number(machine.get("memory")),
        environ.get("CUDA_VISIBLE_DEVICES"),
    )


def _ad(text: str) -> dict[str, str]:
    """Return the attributes of a ClassAd in HTCondor's long form, names in lower case."""
    pairs = (line.partition("=") for line in text.splitlines())
    return {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs if name}


def _number(text: str | None) -> int | None:
    """Return a whole number of at least 1; None for any other text."""
    match = re.fullmatch(r"\s*(\d{1,12})(?:\.\d*)?\s*", text or "")
    return int(match[1]) if match and int(match[1]) > 0 else None


def size_mib(text: str) -> int | None:
    """Return a size as PBS writes it (`4gb`, `8388608kb`) in MiB; None if it is none."""
    match = re.fullmatch(r"(\d{1,15})([kmgt]?b|)", text.strip().lower())
    return int(int(match[1]) * _UNITS_KIB[match[2]] / 1024) if match else None
