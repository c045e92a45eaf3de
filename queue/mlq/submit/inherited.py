"""The code of a job that another job enqueues: the same code.

A job runs in its copy, and when it ends the files of the copy that it did not change are removed.
So a job that it enqueues gets its own copy of the same pack.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from mlq.jobs.spec import Code

_MOST_BYTES = 64 << 20


class Inherited(NamedTuple):
    """What a job hands down to the job that it enqueues.

    Args:
        code: of the new job.
        work: the copy that the enqueueing job runs in.
    """

    code: Code
    work: str


def inherited_code(environ: Mapping[str, str], cwd: str) -> Inherited | None:
    """Return the code of the job that enqueues from its copy; None if the caller is no such job.

    Args:
        environ: the caller's variables.
        cwd: the folder that the new job is to run in.
    """
    job_file = environ.get("MLQ_JOB_FILE", "")
    if not job_file.startswith("/"):
        return None
    work = f"{job_file.rpartition('/')[0]}/work"
    inside = os.path.relpath(os.path.realpath(cwd), os.path.realpath(work))
    if inside.split("/")[0] == "..":
        return None
    from mlq.jobs.strict_spec import NotStrictError, parse_spec

    try:
        with Path(job_file).open("rb") as file:
            found = json.loads(file.read(_MOST_BYTES))
        code = parse_spec(json.dumps(found["spec"])).code
    except (OSError, ValueError, KeyError, TypeError, NotStrictError):
        return None
    if code is None:
        return None
    return Inherited(replace(code, subfolder="" if inside == "." else inside), work)
