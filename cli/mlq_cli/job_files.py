"""Reads job files of other batch systems, and queues what they describe."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mlq.errors import InvalidInputError, JobNotFoundError
from mlq.jobs.batch_job import SCRIPT_CHARS
from mlq.scripts.where import Edges, Where
from mlq.settings.people import home, user_name
from mlq.submit.programs import present_folder
from mlq_cli.invocation.session import show_progress
from mlq_cli.root_files import give_root
from mlq_cli.umask import present_umask

if TYPE_CHECKING:
    from mlq.api.queue import Queue
    from mlq.scripts.script_job import ScriptJob
    from mlq.submit.of_script import ManyJobs
    from mlq.submit.submission import Submission

STDIN = "-"
_UTF8_BYTES = 4


class Queued(NamedTuple):
    """What was queued.

    Args:
        id: of the job, or of the array.
        ids: of all its jobs.
        lines: to print, as `mlq enqueue` does.
    """

    id: str
    ids: Sequence[str]
    lines: Sequence[str]


def where_of(file: str, args: Sequence[str], environ: Mapping[str, str] = os.environ) -> Where:
    """Return where a file is submitted that its user typed with these arguments."""
    return Where(
        file=file,
        folder=present_folder(environ),
        home=str(home(environ)),
        host=socket.gethostname(),
        user=user_name(environ),
        umask=present_umask(),
        environ=environ,
        args=tuple(args),
    )


def edges_of(where: Where) -> Edges:
    """Return what a parser may ask of this machine."""
    return Edges(
        is_folder=lambda path: path.endswith("/") or Path(path).is_dir(),
        read=read_file,
        run=lambda line: _run(line, where.folder),
        matching=lambda pattern: tuple(sorted(glob(pattern))),  # noqa: PTH207 - it is absolute
    )


def _run(line: str, folder: str) -> str:
    done = subprocess.run(["/bin/sh", "-c", line], cwd=folder, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise InvalidInputError(f"{line} failed", why=f"exit code {done.returncode}")
    return done.stdout.decode(errors="replace")


def read_file(file: str) -> str:
    """Return the text of a job file; `-` is standard input.

    Raises:
        InvalidInputError: it cannot be read, is too large or is not UTF-8.
    """
    most = SCRIPT_CHARS * _UTF8_BYTES
    try:
        if file == STDIN:
            content = sys.stdin.buffer.read(most + 1)
        else:
            with Path(file).open("rb") as opened:
                content = opened.read(most + 1)
    except OSError as error:
        raise InvalidInputError(f"cannot read {file}", why=error.strerror or str(error)) from None
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidInputError(f"{file}, line {line}: this is not UTF-8 text") from None
    if len(text) > SCRIPT_CHARS:
        raise InvalidInputError(
            f"{file} cannot be used",
            why=f"a job file may have {SCRIPT_CHARS:,} characters",
            fix="let a short script call the long one",
        )
    return text


def queue_job(
    queue: Queue, job: ScriptJob, submission: Submission, many: ManyJobs | None
) -> Queued:
    """Queue what a job file describes: all of it, or nothing.

    Args:
        queue: where to.
        job: the file.
        submission: of one job.
        many: of the jobs, if there are several.

    Raises:
        MlqError: something cannot be used; nothing was queued.
    """
    give_root(queue)
    queue.progress = show_progress("enqueued")
    try:
        if many is None:
            (one,) = queue.submit([submission], typed=True)
            return Queued(one.id, [one.id], [one.id])
        # Neither Slurm, PBS nor HTCondor holds an array whose first jobs fail.
        report = queue.submit_members(
            many.plan, many.submissions, typed=True, max_running=many.max_running, max_fails=0
        )
    except JobNotFoundError as error:
        if not job.parents_at:
            raise
        raise JobNotFoundError(
            f"{job.parents_at}: {error.what}", why=error.why, fix=error.fix
        ) from None
    return Queued(str(report.number), report.ids, report.lines())
