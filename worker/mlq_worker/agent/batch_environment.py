"""What a job is told of itself in the words of the batch system that it was written for.

Pure. The variables were compared with those of a real Slurm 22.05 (`slurmd`). What is absent there
unless it was asked for is absent here: programs decide by it. PyTorch Lightning, for example, takes
`SLURM_NTASKS` for a promise that so many processes are started. Invariant: these variables replace
those that the job's user has set, as mlq's own do; a program that finds another job's number in
them would stop the wrong job.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from mlq.jobs.batch_job import BatchJob
from mlq.jobs.spec import JobSpec
from mlq.scripts.array_shape import shape_of
from mlq.scripts.patterns import Names, fill, names_of
from mlq.scripts.slurm_ids import array_number, slurm_number
from mlq_worker.ipc.values import BatchOrder

CLUSTER = PARTITION = "mlq"
"""The cluster, and the partition of jobs that named none."""


class Here(NamedTuple):
    """Where jobs run, and who runs them.

    Args:
        machine: its name, by which it can be reached.
        user: the user's name.
        uid, gid: the user's numbers.
        shims: the folder of the commands by which Slurm's users speak to mlq; "" if there is none.
    """

    machine: str
    user: str
    uid: int = 0
    gid: int = 0
    shims: str = ""


class Attempt(NamedTuple):
    """One attempt.

    Args:
        number: of the attempt.
        gpus: how many GPUs it has.
        nodes_file: where its file of nodes will be.
    """

    number: int
    gpus: int = 0
    nodes_file: str = ""


def batch_variables(
    spec: JobSpec, attempt: Attempt, here: Here, env: Mapping[str, str]
) -> dict[str, str]:
    """Return the variables of a job's batch system; none if it has none.

    Args:
        spec: the job.
        attempt: which of its attempts.
        here: where it runs.
        env: its environment so far.
    """
    if spec.batch is None:
        return {}
    made = {"slurm": _slurm, "pbs": _pbs, "condor": _condor}[spec.batch.system]
    return made(spec, spec.batch, attempt, here, env)


def batch_order(spec: JobSpec, here: Here) -> BatchOrder | None:
    """Return what the launcher must make of a job's script and of its user's files, if it has any.

    The names of the files are filled in.
    """
    system = "" if spec.batch is None else spec.batch.system
    if not spec.script and spec.streams is None and system != "pbs":
        return None
    output = error = nodes = ""
    appends = False
    if spec.streams is not None:
        names = _names(spec, here)
        output, error = fill(spec.streams.output, names), fill(spec.streams.error, names)
        error = "" if error == output else error
        appends = spec.streams.appends
    if spec.batch is not None and system == "pbs":
        nodes = f"{here.machine}\n" * max(1, spec.batch.tasks)
    umask = 0o77 if spec.batch is None else spec.batch.umask
    name = f"{system or 'job'}_script"
    return BatchOrder(spec.script, name, output, error, appends, nodes, umask)


def task_of(spec: JobSpec) -> str:
    """Return the number of a job in its array; "" if it is in none."""
    if spec.member is None or not array_number(spec.id):
        return ""
    is_array = spec.batch is not None and bool(spec.batch.array)
    return spec.member.params.get("array", spec.id.partition("_")[2] if is_array else "")


def _names(spec: JobSpec, here: Here) -> Names:
    return names_of(spec.id, task_of(spec), spec.name, here.user, here.machine)


def _slurm(
    spec: JobSpec, batch: BatchJob, attempt: Attempt, here: Here, env: Mapping[str, str]
) -> dict[str, str]:
    cores, tasks, number = spec.request.cores, max(1, batch.tasks), slurm_number(spec.id)
    found = {
        "SLURMD_NODENAME": here.machine,
        "SLURM_CLUSTER_NAME": CLUSTER,
        "SLURM_CPUS_ON_NODE": str(cores),
        "SLURM_CPUS_PER_TASK": str(batch.cpus_per_task or max(1, cores // tasks)),
        "SLURM_GTIDS": "0",
        "SLURM_JOBID": number,
        "SLURM_JOB_CPUS_PER_NODE": str(cores),
        "SLURM_JOB_GID": str(here.gid),
        "SLURM_JOB_ID": number,
        "SLURM_JOB_NAME": spec.name,
        "SLURM_JOB_NODELIST": here.machine,
        "SLURM_JOB_NUM_NODES": "1",
        "SLURM_JOB_PARTITION": batch.partition or PARTITION,
        "SLURM_JOB_UID": str(here.uid),
        "SLURM_JOB_USER": here.user,
        "SLURM_LOCALID": "0",
        "SLURM_MEM_PER_NODE": str(spec.request.mem_mib),
        "SLURM_NNODES": "1",
        "SLURM_NODEID": "0",
        "SLURM_NODELIST": here.machine,
        "SLURM_PROCID": "0",
        "SLURM_SUBMIT_DIR": batch.submit_dir or spec.cwd,
        "SLURM_SUBMIT_HOST": batch.submit_host or here.machine,
        "SLURM_TASKS_PER_NODE": str(tasks),
        "SLURM_TOPOLOGY_ADDR": here.machine,
        "SLURM_UMASK": f"{batch.umask:04o}",
        "SLURM_TOPOLOGY_ADDR_PATTERN": "node",
    }
    if batch.tasks:
        found |= {"SLURM_NTASKS": str(tasks), "SLURM_NPROCS": str(tasks)}
    if batch.gpus_per_task:
        found["SLURM_GPUS_PER_TASK"] = str(batch.gpus_per_task)
    if attempt.gpus:
        found["SLURM_GPUS_ON_NODE"] = str(attempt.gpus)
    if attempt.number > 1:
        found["SLURM_RESTART_COUNT"] = str(attempt.number - 1)
    if here.shims:
        found["PATH"] = ":".join(filter(None, (here.shims, env.get("PATH", ""))))
    return found | _slurm_array(spec, batch)


def _slurm_array(spec: JobSpec, batch: BatchJob) -> dict[str, str]:
    task = task_of(spec)
    if not task:
        return {}
    found = {"SLURM_ARRAY_JOB_ID": array_number(spec.id), "SLURM_ARRAY_TASK_ID": task}
    shape = shape_of(batch.array)
    if shape is None:
        return found
    return found | {
        "SLURM_ARRAY_TASK_COUNT": str(shape.tasks),
        "SLURM_ARRAY_TASK_MAX": str(shape.last),
        "SLURM_ARRAY_TASK_MIN": str(shape.first),
        "SLURM_ARRAY_TASK_STEP": str(shape.step),
    }


def _pbs(
    spec: JobSpec, batch: BatchJob, attempt: Attempt, here: Here, env: Mapping[str, str]
) -> dict[str, str]:
    cores = str(spec.request.cores)
    task, array = task_of(spec), array_number(spec.id)
    queue = batch.partition or PARTITION
    number = f"{array}[{task}]" if task else spec.id
    found = {
        "NCPUS": cores,
        "PBS_ENVIRONMENT": "PBS_BATCH",
        "PBS_JOBDIR": env.get("HOME", "/"),
        "PBS_JOBID": f"{number}.{CLUSTER}",
        "PBS_JOBNAME": spec.name,
        "PBS_NCPUS": cores,
        "PBS_NODEFILE": attempt.nodes_file,
        "PBS_NP": cores,
        "PBS_NUM_NODES": "1",
        "PBS_NUM_PPN": cores,
        "PBS_O_HOST": batch.submit_host or here.machine,
        "PBS_O_QUEUE": queue,
        "PBS_O_WORKDIR": batch.submit_dir or spec.cwd,
        "PBS_QUEUE": queue,
    }
    for name in ("HOME", "LANG", "LOGNAME", "PATH", "SHELL"):
        if name in env:
            found[f"PBS_O_{name}"] = env[name]
    if task:
        found |= {"PBS_ARRAY_ID": f"{array}[].{CLUSTER}", "PBS_ARRAY_INDEX": task}
        found["PBS_ARRAYID"] = task  # Torque's word
    return found


def _condor(
    spec: JobSpec, _batch: BatchJob, _attempt: Attempt, _here: Here, env: Mapping[str, str]
) -> dict[str, str]:
    return {"BATCH_SYSTEM": "HTCondor", "_CONDOR_JOB_IWD": env.get("PWD", spec.cwd)}
