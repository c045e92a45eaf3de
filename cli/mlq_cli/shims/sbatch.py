"""`sbatch`: queues a Slurm script as `mlq submit` does, and answers in sbatch's own words."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlq.errors import InvalidInputError
from mlq.jobs.lifecycle import State
from mlq.jobs.stop_signal import parse_stop_signal, untimely
from mlq.scripts.slurm.parsing import parse
from mlq.scripts.slurm.reading import Given, from_variables, latest, options_of
from mlq.submit.of_script import many_jobs, submission_of
from mlq_cli.job_files import STDIN, queue_job, read_file, where_of
from mlq_cli.shims.asking import open_queue
from mlq_cli.shims.states import exit_code
from mlq_cli.shims.version import VersionAsked

if TYPE_CHECKING:
    from mlq.jobs.view import JobView
    from mlq.scripts.script_job import ScriptJob

_USAGE = "Usage: sbatch [OPTIONS(0)...] executable [args(0)...]; see: mlq submit --help"


def main(words: Sequence[str]) -> int:
    """Queue a script, or with --test-only check it; with --wait return how it ended."""
    typed, rest = options_of(words, "sbatch")
    given = latest(typed)
    if "version" in given:
        raise VersionAsked
    if {"help", "usage"} & set(given):
        print(_USAGE)
        return 0
    job = _read(typed, rest)
    if "quiet" not in given:
        for note in notes_of(job):
            _say(f"sbatch: {note}")
    submission = submission_of(job, os.environ)
    many = many_jobs(job, submission, yes=False)
    if job.is_test:
        _say("sbatch: the script can be queued; when it would start is not known")
        return 0
    queue = open_queue()
    queued = queue_job(queue, job, submission, many)
    if job.is_parsable:
        print(queued.id)
    elif "quiet" not in given:
        print(f"Submitted batch job {queued.id}")
    sys.stdout.flush()
    return _worst(queue.wait(queued.ids)) if job.is_waited_for else 0


def notes_of(job: ScriptJob) -> tuple[str, ...]:
    """Return what its user should know of a job, a line each."""
    if job.signal is None:
        return job.notes
    signal = parse_stop_signal(job.signal, job.time_limit_s).text
    return tuple(filter(None, (*job.notes, untimely(signal, job.time_limit_s))))


def _read(typed: Sequence[Given], rest: Sequence[str]) -> ScriptJob:
    environ = os.environ
    by_variable = from_variables(environ)
    if any(one.option.name == "wrap" for one in typed):
        if rest:
            raise InvalidInputError("Script arguments not permitted with --wrap option")
        return parse("", where_of(STDIN, (), environ), typed, by_variable)
    file = rest[0] if rest else STDIN
    text = read_file(file)
    if file == "/dev/stdin":
        file = STDIN
    return parse(text, where_of(file, rest[1:], environ), typed, by_variable)


def _worst(jobs: Sequence[JobView]) -> int:
    """Return the highest exit code of jobs that have ended; 1 for one that a signal ended."""
    codes = [0]
    for job in jobs:
        code = int(exit_code(job).partition(":")[0])
        codes.append(code or int(job.state != State.FINISHED))
    return max(codes)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
