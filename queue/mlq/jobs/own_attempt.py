"""What a process in a job can do about its own attempt without the queue: ask to be queued again.

The wish is an empty file on this machine, which the launcher looks for. Once it is there, the exit
code no longer matters. An older launcher names no file; then a job must ask the queue.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

_FILE, _JOB = "MLQ_REQUEUE_FILE", "MLQ_JOB_ID"
_MAKE = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


def own_job(environ: Mapping[str, str] = os.environ) -> str:
    """Return the id of the job that this process belongs to; "" outside of a job."""
    return environ.get(_JOB, "")


def leave_wish(environ: Mapping[str, str] = os.environ) -> bool:
    """Ask for this process's job to be queued again; return whether that was possible."""
    path = environ.get(_FILE)
    if not path:
        return False
    try:
        os.close(os.open(path, _MAKE, 0o600))
    except OSError:
        return False
    return True
