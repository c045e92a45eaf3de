"""What squeue, sacct and scontrol can say of a job, by the names of their fields. Pure."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import NamedTuple

from mlq.jobs.view import JobView
from mlq.scripts.slurm_ids import slurm_number
from mlq_cli.shims.asking import ACCOUNT, PARTITION
from mlq_cli.shims.states import (
    COMPACT,
    NO_DATE,
    PENDING,
    array_of,
    elapsed_s,
    exit_code,
    moment,
    recorded,
    slurm_id,
    span,
    state_of,
    why_waiting,
)


class Asked(NamedTuple):
    """A job that was asked for, and when and by whom."""

    job: JobView
    now_s: float
    user: str


Field = Callable[[Asked], str]


def _memory(one: Asked) -> str:
    return f"{one.job.mem_mib}M"


def _limit(one: Asked) -> str:
    limit_s = one.job.time_limit_s
    return "UNLIMITED" if limit_s is None else span(int(limit_s), short=True)


def _left(one: Asked) -> str:
    limit_s = one.job.time_limit_s
    if limit_s is None:
        return "UNLIMITED"
    return span(max(0, int(limit_s) - elapsed_s(one.job, one.now_s)), short=True)


def _nodes(one: Asked) -> str:
    return (one.job.machine or "") if state_of(one.job) != PENDING else ""


def _reason_or_nodes(one: Asked) -> str:
    return _nodes(one) or f"({why_waiting(one.job)})"


def _gres(one: Asked) -> str:
    return f"gres:gpu:{one.job.gpus}" if one.job.gpus else "N/A"


def _used(one: Asked) -> str:
    return span(elapsed_s(one.job, one.now_s), short=True)


def _task(one: Asked) -> str:
    return array_of(one.job)[1] or "N/A"


def _start(one: Asked) -> str:
    return moment(one.job.started_at if state_of(one.job) != PENDING else None)


def _squeue_start(one: Asked) -> str:
    found = _start(one)
    return "N/A" if found == NO_DATE else found


def _dependency(one: Asked) -> str:
    return ",".join(f"afterany:{parent}" for parent in one.job.after) or "(null)"


# What both squeue and sacct have. Names are in small letters.
_COMMON: dict[str, Field] = {
    "account": lambda _: ACCOUNT,
    "cluster": lambda _: "mlq",
    "comment": lambda one: one.job.comment,
    "jobname": lambda one: one.job.name or "mlq",
    "nodelist": _nodes,
    "partition": lambda _: PARTITION,
    "priority": lambda one: str(one.job.priority),
    "qos": lambda _: "normal",
    "reason": lambda one: why_waiting(one.job),
    "timelimit": _limit,
    "user": lambda one: one.user,
}

OF_SQUEUE: dict[str, Field] = {
    **_COMMON,
    "jobid": lambda one: slurm_number(one.job.id),
    "jobarrayid": lambda one: slurm_id(one.job),
    "arrayjobid": lambda one: array_of(one.job)[0],
    "arraytaskid": _task,
    "comment": lambda one: one.job.comment or "(null)",
    "name": _COMMON["jobname"],
    "username": lambda one: one.user,
    "userid": lambda _: str(os.getuid()),
    "state": lambda one: state_of(one.job),
    "statecompact": lambda one: COMPACT[state_of(one.job)],
    "timeused": _used,
    "timeleft": _left,
    "numnodes": lambda _: "1",
    "numcpus": lambda one: str(one.job.cores),
    "reasonlist": _reason_or_nodes,
    "minmemory": _memory,
    "gres": _gres,
    "tres-per-node": _gres,
    "submittime": lambda one: moment(one.job.submitted_at),
    "starttime": _squeue_start,
    "endtime": lambda one: moment(one.job.ended_at).replace(NO_DATE, "N/A"),
    "command": lambda one: one.job.command,
    "dependency": _dependency,
    "batchhost": _nodes,
    "exit_code": lambda one: exit_code(one.job).partition(":")[0],
    "restartcnt": lambda one: str(max(0, one.job.attempt - 1)),
}

LETTERS: Mapping[str, str] = {
    "i": "jobarrayid",
    "A": "jobid",
    "F": "arrayjobid",
    "K": "arraytaskid",
    "j": "name",
    "u": "username",
    "U": "userid",
    "t": "statecompact",
    "T": "state",
    "M": "timeused",
    "l": "timelimit",
    "L": "timeleft",
    "D": "numnodes",
    "C": "numcpus",
    "R": "reasonlist",
    "r": "reason",
    "N": "nodelist",
    "P": "partition",
    "m": "minmemory",
    "b": "gres",
    "S": "starttime",
    "V": "submittime",
    "e": "endtime",
    "o": "command",
    "k": "comment",
    "a": "account",
    "q": "qos",
    "Q": "priority",
    "p": "priority",
    "E": "dependency",
    "B": "batchhost",
}

TITLES: Mapping[str, str] = {
    "jobid": "JOBID",
    "jobarrayid": "JOBID",
    "arrayjobid": "ARRAY_JOB_ID",
    "arraytaskid": "ARRAY_TASK_ID",
    "statecompact": "ST",
    "timeused": "TIME",
    "timelimit": "TIME_LIMIT",
    "timeleft": "TIME_LEFT",
    "numnodes": "NODES",
    "numcpus": "CPUS",
    "reasonlist": "NODELIST(REASON)",
    "minmemory": "MIN_MEMORY",
    "gres": "TRES_PER_NODE",
    "tres-per-node": "TRES_PER_NODE",
    "submittime": "SUBMIT_TIME",
    "starttime": "START_TIME",
    "endtime": "END_TIME",
    "username": "USER",
    "userid": "UID",
    "batchhost": "EXEC_HOST",
}
"""What squeue prints above its columns, where that is not the field's own name."""


def _seconds(one: Asked) -> int:
    return elapsed_s(one.job, one.now_s)


OF_SACCT: dict[str, tuple[str, int, Field]] = {
    name.lower(): (name, width, field)
    for name, width, field in (
        ("Account", 10, _COMMON["account"]),
        ("AllocCPUS", 10, lambda one: str(one.job.cores)),
        ("AllocNodes", 10, lambda _: "1"),
        ("Cluster", 10, _COMMON["cluster"]),
        ("Comment", 14, _COMMON["comment"]),
        ("CPUTimeRAW", 10, lambda one: str(_seconds(one) * one.job.cores)),
        ("DerivedExitCode", 15, lambda one: exit_code(one.job)),
        ("Elapsed", 10, lambda one: span(_seconds(one))),
        ("ElapsedRaw", 10, lambda one: str(_seconds(one))),
        ("End", 19, lambda one: moment(one.job.ended_at)),
        ("ExitCode", 8, lambda one: exit_code(one.job)),
        ("JobID", 12, lambda one: slurm_id(one.job)),
        ("JobIDRaw", 12, lambda one: slurm_number(one.job.id)),
        ("JobName", 10, _COMMON["jobname"]),
        ("MaxRSS", 10, lambda one: f"{one.job.max_rss_mib}M" if one.job.max_rss_mib else ""),
        ("NCPUS", 10, lambda one: str(one.job.cores)),
        ("NNodes", 8, lambda _: "1"),
        ("NodeList", 15, lambda one: _nodes(one) or "None assigned"),
        ("Partition", 10, _COMMON["partition"]),
        ("Priority", 10, _COMMON["priority"]),
        ("QOS", 10, _COMMON["qos"]),
        ("Reason", 22, _COMMON["reason"]),
        ("ReqCPUS", 8, lambda one: str(one.job.cores)),
        ("ReqMem", 10, _memory),
        ("Restarts", 8, lambda one: str(max(0, one.job.attempt - 1))),
        ("Start", 19, _start),
        ("State", 10, lambda one: recorded(one.job)),
        ("Submit", 19, lambda one: moment(one.job.submitted_at)),
        ("Timelimit", 10, _limit),
        ("TotalCPU", 10, lambda one: span(int(one.job.cpu_s or 0))),
        ("UID", 6, lambda _: str(os.getuid())),
        ("User", 9, _COMMON["user"]),
    )
}
"""Name in small letters -> name as printed, width, field."""
