"""What `scontrol show` prints: jobs, nodes, the partition, settings and lists of hosts."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlq.errors import InvalidInputError
from mlq.jobs.globs import is_glob
from mlq.scripts.slurm.values import machines
from mlq.settings.people import user_name
from mlq_cli.shims.asking import ACCOUNT, PARTITION, jobs_of, open_queue
from mlq_cli.shims.fields import OF_SACCT, OF_SQUEUE, Asked
from mlq_cli.shims.states import array_of, exit_code, slurm_id, state_of
from mlq_cli.shims.version import VERSION

if TYPE_CHECKING:
    from mlq.api.queue import Queue
    from mlq.jobs.view import JobView

_OWN_NODES = "SLURM_JOB_NODELIST"
MIN_JOB_AGE_S = 300


def host_names(words: Sequence[str], _oneline: bool) -> list[str]:
    """Return the names that a list of hosts has, one a line; without a list those of this job."""
    text = ",".join(words) or os.environ.get(_OWN_NODES, "")
    try:
        return list(machines(text))
    except ValueError as error:
        raise InvalidInputError(f"Invalid hostlist: {text!r}", why=str(error)) from None


def host_list(words: Sequence[str], _oneline: bool) -> list[str]:
    """Return names as one list."""
    names = [one for word in words for one in re.split(r"[,\s]+", word) if one]
    if not names or any(is_glob(one) for one in names):
        raise InvalidInputError("names of hosts are needed")
    return [",".join(names)]


def config(_words: Sequence[str], _oneline: bool) -> list[str]:
    """Return the settings that programs look for."""
    settings = {
        "AccountingStorageType": "accounting_storage/mlq",
        "ClusterName": "mlq",
        "JobRequeue": "1",
        "KillWait": "10 sec",
        "MaxArraySize": "10001",
        "MinJobAge": f"{MIN_JOB_AGE_S} sec",
        "PreemptMode": "REQUEUE",
        "SLURM_VERSION": VERSION.partition(" ")[2],
    }
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S")
    lines = [f"{name:23} = {value}" for name, value in settings.items()]
    return [f"Configuration data as of {stamp}", *lines]


def jobs(words: Sequence[str], oneline: bool) -> list[str]:
    """Return what is known of jobs; without ids, of all that have not ended."""
    queue = open_queue()
    if words:
        found, unknown = jobs_of(queue, [one.removeprefix("jobid=") for one in words])
        if unknown:
            raise InvalidInputError(f"Invalid job id specified: {unknown[0]}")
    else:
        found = queue.unended()
    if not found:
        return ["No jobs in the system"]
    return _records([_job(queue, one) for one in found], oneline)


def _job(queue: Queue, job: JobView) -> list[dict[str, str]]:
    from mlq.store.templates import STORED, Raw, whole_specs

    asked = Asked(job, time.time(), user_name())
    rows = [Raw(*row) for row in queue.store.reads.rows(STORED, [job.id])]
    spec: dict[str, Any] = {}
    for text in whole_specs(queue.store.client, rows):
        from mlq.lenient import dict_or_empty

        spec = dict_or_empty(text)
    streams = spec.get("streams") or {}
    number, task = array_of(job)
    array = {"ArrayJobId": number, "ArrayTaskId": task} if task else {}
    uid = os.getuid()
    return [
        {"JobId": slurm_id(job), **array, "JobName": job.name or "mlq"},
        {"UserId": f"{asked.user}({uid})", "GroupId": f"{os.getgid()}", "Account": ACCOUNT},
        {
            "JobState": state_of(job),
            "Reason": OF_SQUEUE["reason"](asked),
            "Dependency": OF_SQUEUE["dependency"](asked),
        },
        {
            "Requeue": str(int(job.requeue)),
            "Restarts": str(max(0, job.attempt - 1)),
            "ExitCode": exit_code(job),
        },
        {"RunTime": OF_SACCT["elapsed"][2](asked), "TimeLimit": OF_SQUEUE["timelimit"](asked)},
        {"SubmitTime": OF_SQUEUE["submittime"](asked), "Partition": PARTITION},
        {"StartTime": OF_SACCT["start"][2](asked), "EndTime": OF_SACCT["end"][2](asked)},
        {"NodeList": job.machine or "(null)", "BatchHost": job.machine or "(null)"},
        {"NumNodes": "1", "NumCPUs": str(job.cores), "MinMemoryNode": f"{job.mem_mib}M"},
        {"TresPerNode": OF_SQUEUE["gres"](asked)},
        {"Command": job.command},
        *([{"Comment": job.comment}] if job.comment else ()),
        {"WorkDir": str(spec.get("cwd", ""))},
        {"StdErr": str(streams.get("error") or streams.get("output") or "")},
        {"StdOut": str(streams.get("output") or "")},
    ]


def partition(words: Sequence[str], oneline: bool) -> list[str]:
    """Return the one partition: all machines."""
    for one in words:
        if one.lower() != PARTITION:
            raise InvalidInputError(f"Partition {one} not found")
    machines_now = _machines()
    cores = sum(int(record.get("cores_total") or 0) for record in machines_now.values())
    record = [
        {"PartitionName": PARTITION},
        {"AllowGroups": "ALL", "AllowAccounts": "ALL", "AllowQos": "ALL"},
        {"Default": "YES", "DefaultTime": "NONE", "Hidden": "NO"},
        {"MaxNodes": "1", "MaxTime": "UNLIMITED", "MinNodes": "1"},
        {"Nodes": ",".join(machines_now) or "(null)"},
        {"State": "UP", "TotalCPUs": str(cores), "TotalNodes": str(len(machines_now))},
    ]
    return _records([record], oneline)


def nodes(words: Sequence[str], oneline: bool) -> list[str]:
    """Return machines, all of them without names."""
    known = _machines()
    wanted = host_names(words, False) if words else list(known)
    for one in wanted:
        if one not in known:
            raise InvalidInputError(f"Node {one} not found")
    return _records([_node(one, known[one]) for one in wanted], oneline) or ["No nodes"]


def _node(name: str, record: dict[str, Any]) -> list[dict[str, str]]:
    total, free = (int(record.get(one) or 0) for one in ("cores_total", "cores_free"))
    gpus = len(record.get("gpus") or ())
    return [
        {"NodeName": name, "CPUAlloc": str(max(0, total - free)), "CPUTot": str(total)},
        {"RealMemory": str(record.get("mem_total_mib") or 0)},
        {"Gres": f"gpu:{gpus}" if gpus else "(null)", "Partitions": PARTITION},
        {"State": "IDLE" if free >= total else "MIXED" if free else "ALLOCATED"},
    ]


def _machines() -> dict[str, dict[str, Any]]:
    queue = open_queue()
    heard = queue.store.reads.machines()
    lease_s = queue.settings.lease_s
    return {name: record for name, (since_s, record) in sorted(heard.items()) if since_s <= lease_s}


def _records(found: Sequence[Sequence[dict[str, str]]], oneline: bool) -> list[str]:
    lines: list[str] = []
    for record in found:
        parts = [" ".join(f"{name}={value}" for name, value in row.items()) for row in record]
        if oneline:
            lines.append(" ".join(parts))
            continue
        lines += [parts[0], *(f"   {one}" for one in parts[1:]), ""]
    return lines
