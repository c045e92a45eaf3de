"""`srun` outside a job: a job that one waits for, whose ranks a `srun` in it starts.

Its output comes to standard output as it is written; the exit code is the job's. Ctrl-C and SIGTERM
cancel the job, as they do in Slurm. Standard input stays here: the job may run on another machine,
and after a power cut on a third.
"""

from __future__ import annotations

import os
import shlex
import signal
import stat
import sys
from contextlib import suppress
from types import FrameType
from typing import NoReturn

from mlq.errors import InvalidInputError
from mlq.scripts.script_job import ScriptJob
from mlq.scripts.slurm.options import OPTIONS
from mlq.scripts.slurm.parsing import parse
from mlq.scripts.slurm.reading import options_of
from mlq.submit.of_script import submission_of
from mlq_cli.invocation.session import open_queue
from mlq_cli.job_files import queue_job, where_of
from mlq_cli.log_sinks import out_sink
from mlq_cli.logs import First, follow
from mlq_cli.render.clean import clean
from mlq_cli.root_files import root_files
from mlq_cli.shims.sbatch import notes_of
from mlq_cli.shims.srun_options import Typed, takes_value
from mlq_cli.waiting import exit_code_of

# What the ranks are told, not the job.
_OF_THE_STEP = frozenset(
    (
        *("output", "error", "input", "open-mode", "label", "unbuffered", "kill-on-bad-exit"),
        *("quiet", "disable-status", "cpu-bind", "gpu-bind", "mem-bind", "distribution", "mpi"),
        *(
            "preserve-env",
            "overlap",
            "exact",
            "ntasks",
            "ntasks-per-node",
            "gpus-per-task",
            "pty",
            "wait",
        ),
    )
)
_OF_BOTH = frozenset(("ntasks", "ntasks-per-node", "gpus-per-task"))
_ENDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(typed: Typed) -> int:
    """Queue the job, show its output, and return its exit code.

    Raises:
        MlqError: it cannot be queued.
    """
    _check_input()
    job = _described(typed)
    submission = submission_of(job, os.environ)
    queue = open_queue(patient=True)
    queued = queue_job(queue, job, submission, None)
    _say(f"job {queued.id} queued and waiting for resources")

    def stop(number: int, _frame: FrameType | None) -> NoReturn:
        for one in _ENDED:
            signal.signal(one, signal.SIG_DFL)
        queue.cancel([queued.id])
        _say(f"job {queued.id} canceled")
        sys.stdout.flush()
        os._exit(128 + number)

    for one in _ENDED:
        signal.signal(one, stop)
    sink = out_sink(follows=True, raw=not sys.stdout.isatty())
    end = follow(queue, root_files(queue.settings), sink, _say, First(queued.id, 0))
    code = exit_code_of([end])
    if code and end.reason:
        _say(f"job {queued.id}: {end.state}: {end.reason}")
    return code


def _described(typed: Typed) -> ScriptJob:
    """Return the job: its script is a `srun` that starts the ranks."""
    words: list[str] = []
    step = ["srun"]
    for name, value in typed.options.items():
        if name in _OF_THE_STEP:
            step.append(f"--{name}={value}" if takes_value(name) else f"--{name}")
        if name in _OF_BOTH or name not in _OF_THE_STEP:
            words += _for_sbatch(name, value)
    given, _ = options_of(words, "srun")
    script = f'#!/bin/sh\nexec {shlex.join(step)} "$@"\n'
    job = parse(script, where_of("srun", typed.command), given)
    for note in notes_of(job):
        _say(note)
    name = typed.options.get("job-name") or os.path.basename(typed.command[0])  # noqa: PTH119
    return job._replace(streams=None, name=name, script=script)


def _for_sbatch(name: str, value: str) -> list[str]:
    """Return an option as sbatch takes it; nothing if it knows none of this name."""
    if name not in OPTIONS:
        return []
    return [f"--{name}" if OPTIONS[name].value == "none" else f"--{name}={value}"]


def _check_input() -> None:
    """Refuse a file as standard input: the job would run without it."""
    with suppress(OSError):
        found = os.fstat(0)
        if stat.S_ISREG(found.st_mode) and found.st_size:
            raise InvalidInputError(
                "standard input cannot be passed on", fix="--input FILE, where all machines see it"
            )


def _say(what: str) -> None:
    with suppress(OSError):
        print(clean(f"srun: {what}"), file=sys.stderr, flush=True)
