"""How each system is told to take a pilot, to list pilots and to end one: pure.

A pilot's script is given on standard input, so no file is left anywhere, here or on the host where
the commands run. What the user asks for comes first and mlq's own options last: of two, each system
takes the last. The name of a pilot's job is how it is found again when an answer is lost.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Mapping
from typing import NamedTuple

from mlq.pilots.decide import Listed
from mlq.pilots.pool import Pool

_PBS_GONE = ("C", "F", "X")
_CONDOR_GONE = ("3", "4", "6")
_SLURM_GONE = (
    "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY",
    "PREEMPTED", "TIMEOUT",
)  # fmt: skip
_SPARE_S = 120
"""So much longer than its worker stays, an allocation lasts where only we limit it."""


class Call(NamedTuple):
    """A command of the system.

    Args:
        words: the program, by its bare name, and its arguments.
        stdin: what it reads.
    """

    words: tuple[str, ...]
    stdin: str = ""

    @property
    def program(self) -> str:
        """The program's name."""
        return self.words[0]


def programs(pool: Pool) -> tuple[str, ...]:
    """Return the programs that a pool needs."""
    return {
        "slurm": ("sbatch", "squeue", "scancel"),
        "pbs": ("qsub", "qstat", "qselect", "qdel"),
        "condor": ("condor_submit", "condor_q", "condor_rm"),
    }[pool.system]


def script(pool: Pool, mlq: tuple[str, ...], settings: Mapping[str, str]) -> str:
    """Return the script that a pilot runs.

    Args:
        pool: whose pilot it is.
        mlq: paths where the command `mlq` may be; the first that exists is taken.
        settings: variables that tell it which queue it works for.
    """
    lines = [f"export {name}={shlex.quote(value)}" for name, value in sorted(settings.items())]
    stays = f"--for {pool.time_s:.0f}s --idle {pool.idle_s:.0f}s"
    paths = " ".join(shlex.quote(one) for one in mlq)
    return "\n".join(
        [
            "#!/bin/sh",
            *lines,
            f"for mlq in {paths}; do",
            f'  [ -x "$mlq" ] && exec "$mlq" worker start --foreground {stays}',
            "done",
            f"echo mlq: mlq is not here: {paths} >&2",
            "exit 127",
            "",
        ]
    )


def submission(pool: Pool, name: str, text: str, log: str) -> Call:
    """Return the command that submits a pilot.

    Args:
        pool: whose pilot it is.
        name: of its job.
        text: its script.
        log: the file of what it writes; in an existing folder.
    """
    if pool.system == "slurm":
        ours = [f"--job-name={name}", f"--time={_minutes(pool.time_s)}", "--no-requeue"]
        plain = log.replace("%", "%%")
        return Call(("sbatch", *pool.args, "--parsable", *ours, f"--output={plain}"), text)
    if pool.system == "pbs":
        limit = f"walltime={math.ceil(pool.time_s)}"
        ours = ["-N", name, "-l", limit, "-r", "n", "-j", "oe", "-o", log]
        return Call(("qsub", *pool.args, *ours), text)
    inner = text.replace('"', '""').replace("'", "''").replace("$", "$(DOLLAR)")
    lines = [
        *pool.args,
        "executable = /bin/sh",
        "transfer_executable = false",
        "should_transfer_files = IF_NEEDED",
        "arguments @=mlq_end",
        f"\"-c '{inner}'\"",
        "@mlq_end",
        f"batch_name = {name}",
        f"output = {log}",
        f"error = {log}",
        f"allowed_execute_duration = {math.ceil(pool.time_s) + _SPARE_S}",
        "queue",
        "",
    ]
    return Call(("condor_submit", "-terse"), "\n".join(lines))


def trial(pool: Pool, name: str, text: str, log: str) -> Call:
    """Return the command that tries a submission and runs nothing.

    PBS cannot be asked, so it is given a job that is held; `undo` then deletes it.
    """
    call = submission(pool, name, text, log)
    if pool.system == "slurm":
        return Call((*call.words, "--test-only"), call.stdin)
    if pool.system == "pbs":
        return Call((*call.words, "-h"), call.stdin)
    return Call(("condor_submit", "-dry-run", "/dev/null"), call.stdin)


def undo(pool: Pool, said: str) -> Call | None:
    """Return the command that takes back what a trial left; None if it leaves nothing."""
    job = job_of(pool, said)
    return cancelling(pool, job) if pool.system == "pbs" and job else None


def job_of(pool: Pool, said: str) -> str:
    """Return the id that the system gave, from what its command printed; "" if there is none."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    last = lines[-1] if lines else ""
    if pool.system == "slurm":
        match = re.fullmatch(r"(\d+)(?:;.*)?", last)
    elif pool.system == "pbs":
        match = re.fullmatch(r"(\d+[A-Za-z0-9.\[\]-]*)", last)
    else:
        match = re.fullmatch(r"(\d+\.\d+)(?:\s*-.*)?", last)
    return match[1] if match else ""


def listing(pool: Pool, user: str) -> Call:
    """Return the command that lists a user's jobs."""
    if pool.system == "slurm":
        return Call(("squeue", "-h", "-u", user, "-o", "%i|%T|%j"))
    if pool.system == "pbs":
        # A job that ends between the two makes qstat fail, and is listed no more all the same.
        told = 'ids=$(qselect -u "$1") || exit; [ -z "$ids" ] || qstat -f $ids || [ $? -eq 153 ]'
        return Call(("sh", "-c", told, "qstat", user))
    wanted = f'regexp("^{pool.prefix}", JobBatchName)'
    return Call(
        ("condor_q", "-constraint", wanted, "-af", "ClusterId", "ProcId", "JobStatus",
         "JobBatchName")
    )  # fmt: skip


def read_listing(pool: Pool, said: str) -> dict[str, Listed]:
    """Return the pilots of a pool, by name, from what `listing` printed."""
    rows = {"slurm": _slurm_rows, "pbs": _pbs_rows, "condor": _condor_rows}[pool.system](said)
    return {
        name: Listed(job, is_running)
        for name, job, is_running in rows
        if name.startswith(pool.prefix)
    }


def cancelling(pool: Pool, job: str) -> Call:
    """Return the command that ends a pilot."""
    program = {"slurm": "scancel", "pbs": "qdel", "condor": "condor_rm"}[pool.system]
    return Call((program, job))


def _minutes(seconds: float) -> int:
    return max(1, math.ceil(seconds / 60))


_Row = tuple[str, str, bool]


def _slurm_rows(said: str) -> list[_Row]:
    rows = (line.strip().split("|", 2) for line in said.splitlines())
    return [
        (row[2], row[0], row[1] not in ("PENDING", "CONFIGURING"))
        for row in rows
        if len(row) == 3 and row[1] not in _SLURM_GONE
    ]


def _pbs_rows(said: str) -> list[_Row]:
    found = []
    for block in re.split(r"(?m)^Job Id:\s*", said)[1:]:
        job, _, rest = block.partition("\n")
        told = dict(re.findall(r"(?m)^ {4}(Job_Name|job_state) = (\S+)", rest))
        state = told.get("job_state", "Q")
        if state not in _PBS_GONE:
            found.append((told.get("Job_Name", ""), job.strip(), state in ("R", "S", "E")))
    return found


def _condor_rows(said: str) -> list[_Row]:
    rows = (line.split() for line in said.splitlines())
    return [
        (row[3], f"{row[0]}.{row[1]}", row[2] in ("2", "7"))
        for row in rows
        if len(row) == 4 and row[2] not in _CONDOR_GONE
    ]
