"""What a step of `srun` is: its ranks, their variables and files. It starts nothing.

The names of the variables, and which of them differ from those of the job's script, were taken from
a real Slurm 22.05.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

from mlq.errors import InvalidInputError
from mlq.scripts.patterns import NO_TASK, Names
from mlq.scripts.slurm_ids import job_id_of, slurm_number
from mlq_cli.shims.srun_options import Typed


class Plan(NamedTuple):
    """A step.

    Args:
        command: the program and its arguments.
        tasks: how many ranks.
        env: the variables of all of them.
        names: what the patterns in names of files stand for.
        files: of standard input, output and error; "" for those of `srun`.
        appends: whether what is in the files stays.
        is_labelled: whether each line of output begins with the rank's number.
        kills: whether all ranks are ended if one fails.
        folder: to start in.
        gpus: the GPUs of each rank, as CUDA_VISIBLE_DEVICES has them; empty: all of the job's.
        is_quiet: whether ends are not told.
    """

    command: tuple[str, ...]
    tasks: int
    env: Mapping[str, str]
    names: Names
    files: tuple[str, str, str]
    appends: bool
    is_labelled: bool
    kills: bool
    folder: str
    gpus: tuple[str, ...]
    is_quiet: bool


def plan(typed: Typed, environ: Mapping[str, str]) -> Plan:
    """Return the step that was asked for.

    Raises:
        InvalidInputError: it cannot be started in this job.
    """
    options = typed.options
    own = environ["MLQ_JOB_ID"]
    if job_id_of(options.get("jobid", own)) != own:
        raise InvalidInputError(
            f"--jobid={options['jobid']} cannot be used",
            why="ranks can be started in their job only",
        )
    environ = {**_of_slurm(own), **environ}
    if options.get("nodes", "1").split("-", 1)[0] not in ("0", "1"):
        raise InvalidInputError(
            f"--nodes={options['nodes']} cannot be used", why="a job of mlq runs on one machine"
        )
    if "multi-prog" in options:
        raise InvalidInputError("--multi-prog is not supported", fix="call srun once per program")
    tasks = typed.number("ntasks", typed.number("ntasks-per-node", 1))
    step = _step_number(environ)
    output = options.get("output", "")
    return Plan(
        typed.command,
        tasks,
        _variables(typed, environ, tasks, step),
        _names(environ, step),
        (options.get("input", ""), output, options.get("error", "")),
        options.get("open-mode", "t").startswith("a"),
        "label" in options,
        options.get("kill-on-bad-exit", "0") != "0",
        options.get("chdir", ""),
        _gpus(typed, environ, tasks),
        "quiet" in options or "disable-status" in options,
    )


def _of_slurm(job_id: str) -> dict[str, str]:
    """Return what ranks must know if their job was not written for Slurm."""
    number, node = slurm_number(job_id), os.uname().nodename.split(".", 1)[0]
    one = dict.fromkeys(("SLURM_NNODES", "SLURM_JOB_NUM_NODES"), "1")
    return {
        **one,
        **dict.fromkeys(("SLURM_JOB_ID", "SLURM_JOBID"), number),
        **dict.fromkeys(("SLURM_JOB_NODELIST", "SLURM_NODELIST", "SLURMD_NODENAME"), node),
        "SLURM_NODEID": "0",
    }


def _names(environ: Mapping[str, str], step: str) -> Names:
    number = environ.get("SLURM_JOB_ID", "")
    array = environ.get("SLURM_ARRAY_JOB_ID", number)
    task = environ.get("SLURM_ARRAY_TASK_ID", NO_TASK)
    name = environ.get("SLURM_JOB_NAME", "")
    user, node = environ.get("SLURM_JOB_USER", ""), environ.get("SLURMD_NODENAME", "")
    return Names(number, array, task, name, user, node, 0, step)


def _step_number(environ: Mapping[str, str]) -> str:
    """Return the number of this step: one more than that of the last in this attempt."""
    folder = os.path.dirname(environ.get("MLQ_PROGRESS_FILE", ""))  # noqa: PTH120 - speed
    with suppress(OSError):
        with suppress(FileExistsError):
            os.mkdir(f"{folder}/steps", 0o700)  # noqa: PTH102
        number = len(os.listdir(f"{folder}/steps"))  # noqa: PTH208
        while True:
            try:
                os.close(os.open(f"{folder}/steps/{number}", os.O_CREAT | os.O_EXCL, 0o600))
            except FileExistsError:
                number += 1  # another `srun` took it just now
            else:
                return str(number)
    return "0"


def _variables(typed: Typed, environ: Mapping[str, str], tasks: int, step: str) -> dict[str, str]:
    node = environ.get("SLURMD_NODENAME", "")
    count = str(tasks)
    found = _exported(typed.options.get("export", "ALL"), environ)
    if "cpus-per-task" in typed.options:
        found["SLURM_CPUS_PER_TASK"] = str(typed.number("cpus-per-task", 1))
    return found | {
        "SLURM_DISTRIBUTION": "block",
        "SLURM_GTIDS": ",".join(map(str, range(tasks))),
        "SLURM_LAUNCH_NODE_IPADDR": "127.0.0.1",
        "SLURM_NPROCS": count,
        "SLURM_NTASKS": count,
        "SLURM_STEPID": step,
        "SLURM_STEP_ID": step,
        "SLURM_STEP_NODELIST": node,
        "SLURM_STEP_NUM_NODES": "1",
        "SLURM_STEP_NUM_TASKS": count,
        "SLURM_STEP_TASKS_PER_NODE": count,
        "SLURM_TASKS_PER_NODE": count,
        "SRUN_DEBUG": "3",
    }


_ALWAYS = ("SLURM", "MLQ_", "CUDA_")


def _exported(text: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that `--export` names; those of job and GPUs always go along."""
    words = [one for one in text.split(",") if one]
    if "ALL" in words:
        found = dict(environ)
    else:
        kept = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR")
        found = {
            name: value
            for name, value in environ.items()
            if name.startswith(_ALWAYS) or name in kept or name in words
        }
    for word in words:
        name, equals, value = word.partition("=")
        if equals:
            found[name] = value
    return found


def _gpus(typed: Typed, environ: Mapping[str, str], tasks: int) -> tuple[str, ...]:
    """Return which GPUs each rank sees; nothing if all see all."""
    each = typed.options.get("gpus-per-task", "").rpartition(":")[2]
    bound = typed.options.get("gpu-bind", "").removeprefix("verbose,").removeprefix("v,")
    if bound.startswith("single:"):
        each = "1"
    if not each.isdecimal() or each == "0" or bound == "none":
        return ()
    devices = [one for one in environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if one]
    number = int(each)
    if len(devices) < number * tasks:
        if bound.startswith("single:") and devices:
            return tuple(devices[rank % len(devices)] for rank in range(tasks))
        raise InvalidInputError(
            f"{tasks} ranks with {number} GPUs each cannot be started",
            why=f"the job has {len(devices)}",
        )
    return tuple(",".join(devices[one * number : (one + 1) * number]) for one in range(tasks))
