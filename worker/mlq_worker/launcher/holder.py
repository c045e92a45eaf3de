"""Who holds an attempt, noted beside it, and which attempts the results root knows already.

A queue that was restored from a backup has forgotten attempts and gives their numbers out again.
The root has not: an attempt's folder is there from its start. So the launcher looks for the number
there before it makes anything of an attempt, and the note (`holder.json`) says which machine holds
the last attempt.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import Literal, NamedTuple

from mlq.files.layout import JobFolder, Layout
from mlq.files.strict_files import JOB_BYTES, Content, read_file
from mlq_worker.ipc.values import Found

_NAME = "holder.json"
_MOST_BYTES = 4096
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Holder(NamedTuple):
    """A machine, its boot and its supervisor."""

    machine: str
    boot_id: str
    supervisor_id: str

    def note(self, attempt_dir: str, environment: str = "") -> None:
        """Leave the note beside an attempt; `environment` is the name of its environment's record.

        The note is neither flushed nor renamed into place, since that would slow each start; half
        a note counts as none.

        Raises:
            OSError: it cannot be written.
        """
        with suppress(FileExistsError):
            file = os.open(f"{attempt_dir}/{_NAME}", _NEW, 0o600)
            try:
                more = {"environment": environment} if environment else {}
                os.write(file, json.dumps({**self._asdict(), **more}).encode())
            finally:
                os.close(file)


def read_holder(root: Layout, attempt_dir: str) -> Holder:
    """Return who holds or held an attempt; all "" if there is no such note."""
    found = read_file(root.root, f"{attempt_dir}/{_NAME}", _MOST_BYTES)
    try:
        value = json.loads(found.data) if isinstance(found, Content) else {}
        holder = Holder(value["machine"], value["boot_id"], value["supervisor_id"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return _NOBODY
    return holder if all(isinstance(one, str) for one in holder) else _NOBODY


_NOBODY = Holder("", "", "")


def last_attempt(root: Layout, folder: JobFolder, at_least: int) -> Found | None:
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
    holder = read_holder(root, folder.attempt_dir(last))
    return Found(last, *holder)


def whose(root: Layout, folder: JobFolder, job_json: str) -> Literal["ours", "edited", "other"]:
    """Return whether the folder's `job.json` belongs to this job or to another one.

    The signature decides, since the rest of a job's text may be rewritten. A text with the same
    time of submission is the job before its user edited it: `edited`. A text that cannot be read,
    or has no signature, counts as ours.
    """
    found = read_file(root.root, folder.job_file, JOB_BYTES)
    ours, theirs = _signed(job_json), _signed(found.data if isinstance(found, Content) else "")
    if not ours.signature or not theirs.signature or ours.signature == theirs.signature:
        return "ours"
    return "edited" if ours.submitted_at and ours[1:] == theirs[1:] else "other"


class _Signed(NamedTuple):
    signature: str = ""
    submitted_at: str = ""
    id: str = ""


def _signed(text: str | bytes) -> _Signed:
    try:
        job = json.loads(text)
        found = job["signature"], job["spec"]["submitted_at"], job["spec"]["id"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return _Signed()
    return _Signed(*found) if all(isinstance(one, str) for one in found) else _Signed()
