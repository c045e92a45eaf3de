"""Who holds an attempt, noted beside it, and which attempts the results root knows already.

A queue that was restored from a backup has forgotten attempts and gives their numbers out again.
The root has not: an attempt's folder is there from its start. So the number is looked for there
before anything of an attempt is made, and the note says whose the last attempt is. The note is the
target of a symbolic link that leads nowhere: it is made in one step, whole or not at all.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import NamedTuple

from mlq.layout import JobFolder, Layout
from mlq.strict_files import JOB_BYTES, Content, read_file
from mlq_worker.supervisor.messages import Found

_NAME = "holder"
_LONGEST = 400


class Holder(NamedTuple):
    """A machine, its boot and its supervisor."""

    machine: str
    boot_id: str
    supervisor_id: str

    def note(self, attempt_dir: str) -> None:
        """Leave the note beside an attempt.

        Raises:
            OSError: it cannot be written.
        """
        with suppress(FileExistsError):
            os.symlink(" ".join(self), f"{attempt_dir}/{_NAME}")  # noqa: PTH211 - speed


def read_holder(attempt_dir: str) -> Holder:
    """Return who holds or held an attempt; all "" if there is no such note."""
    try:
        words = os.readlink(f"{attempt_dir}/{_NAME}").split(" ")  # noqa: PTH115 - speed
    except OSError:
        words = []
    return Holder(*words) if len(words) == 3 and len("".join(words)) < _LONGEST else _NOBODY


_NOBODY = Holder("", "", "")


def last_attempt(folder: JobFolder, at_least: int) -> Found | None:
    """Return the last attempt that the root knows of a job; None if none from `at_least` on.

    Raises:
        OSError: the folder cannot be read.
    """
    try:
        names = os.listdir(folder.attempts_dir)  # noqa: PTH208 - names, not paths
    except FileNotFoundError:
        return None
    last = max((int(name) for name in names if name.isdecimal() and len(name) < 9), default=0)
    if last < at_least:
        return None
    holder = read_holder(folder.attempt_dir(last))
    return {
        "attempt": last,
        "machine": holder.machine,
        "boot_id": holder.boot_id,
        "supervisor_id": holder.supervisor_id,
    }


def is_of_another(root: Layout, folder: JobFolder, job_json: str) -> bool:
    """Return whether the folder's `job.json` is that of another job.

    By the signature: what else a job's text says may be written anew. What cannot be read, or came
    without one, tells nothing.
    """
    ours, found = _signature(job_json), read_file(root.root, folder.job_file, JOB_BYTES)
    theirs = _signature(found.data) if isinstance(found, Content) else ""
    return bool(ours and theirs and ours != theirs)


def _signature(text: str | bytes) -> str:
    try:
        signature = json.loads(text)["signature"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return signature if isinstance(signature, str) else ""
